"""The laws of a game's words: whatever a model reads, and however its reply is read."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final, get_args

from sepo_envs.canvas import HEIGHT, WIDTH
from sepo_envs.check.law import Law, Place, raised
from sepo_envs.episode import begin
from sepo_envs.game import FORFEIT, NotingWords, Unreadable
from sepo_envs.protocol import Style, Talk
from sepo_envs.text import LONGEST_PROMPT, PRINTABLE

MOST_MOVES: Final = 20
"""Legal moves that are said and read back at each decision."""
LONGEST_REASON: Final = 400
NO_ANSWERS: Final = (
    "",
    "I would rather not say.",
    "[",
    "[]",
    "]" * 1_000,
    "\x00\x1b[2J",
    "\u4e0b\u6ce8",
    "[" + "9" * 5_000 + "]",
    "x" * 100_000,
)
"""Replies without a move: silence, prose, brackets without an end, control characters, length."""


def _shown(place: Place) -> Iterator[str]:
    text = place.words.show(place.state)
    if not isinstance(text, str) or not text.strip():
        yield f"show returns {text!r}"
    elif not set(text) <= set(PRINTABLE):
        yield f"show holds {sorted(set(text) - set(PRINTABLE))!r}"


def _numbered(place: Place) -> Iterator[str]:
    number = place.words.conversation(place.state)
    if type(number) is not int:
        yield f"conversation is {number!r}"
        return
    last = -1
    replayed = begin(place.game)
    for entry in place.episode.entries:
        replayed = replayed.play(entry.move)
        if not replayed.pending:
            now = place.words.conversation(replayed.state)
            if now < last:
                yield f"conversation goes back from {last} to {now}"
            last = now


def _drawn(place: Place) -> Iterator[str]:
    """Only where it is soon done: at the start and at the end, and only if Pillow is there."""
    domain = place.subject.domain
    if domain.picture is None or find_spec("PIL") is None:
        return
    if not place.episode.entries or place.episode.actor is None:
        shape = domain.draw(place.game, place.state).pixels().shape
        if shape != (HEIGHT, WIDTH, 3):
            yield f"the picture has the shape {shape}"


TEXT_LAWS: Final = (
    Law(
        "show tells every state in plain text",
        _shown,
        "spectators, replays and render_mode='ansi' print it.",
        "return at least one line of printable ASCII, before anything is dealt and after the end "
        "too.",
    ),
    Law(
        "conversations are numbered upwards",
        _numbered,
        "a new number opens a new chat; an old one would bring back a chat that is over.",
        "return a whole number that never falls: 0 always, or how many hands are settled.",
    ),
    Law(
        "a game with a picture can be drawn at the start and at the end",
        _drawn,
        "render_mode='rgb_array' draws every state, and frames of one size make a video.",
        "draw what is not there yet as empty, and begin with canvas.headed(...).",
    ),
)


def _plain(place: Place) -> Iterator[str]:
    for seat in place.seats:
        for name, text in (
            ("rules", place.words.rules(seat)),
            ("ask", place.words.ask(place.state, seat)),
            ("news", place.words.news(place.state, seat)),
        ):
            if not isinstance(text, str) or not text.strip():
                yield f"{name} tells seat {seat} {text!r}"
            elif not set(text) <= set(PRINTABLE):
                yield f"{name} holds {sorted(set(text) - set(PRINTABLE))!r}"


def _fits(place: Place) -> Iterator[str]:
    for seat in place.seats:
        for style in get_args(Style):
            prompt = Talk(place.words, seat, style).hear(place.episode).messages[-1].content
            if len(prompt) > LONGEST_PROMPT:
                yield f"seat {seat}'s prompt in style {style} has {len(prompt):,} characters"


def _steady(place: Place) -> Iterator[str]:
    words, state = place.words, place.state
    for seat in place.seats:
        noted = (words.notes,) if isinstance(words, NotingWords) else ()
        for read in (words.news, words.ask, words.thoughts, *noted):
            if read(state, seat) != read(state, seat):
                yield f"two calls of {read.__name__} for seat {seat} differ"


def _read_back(place: Place) -> Iterator[str]:
    words, state = place.words, place.state
    for seat in place.seats:
        legal = place.game.legal_moves(state, seat)
        for move in place.rng.sample(legal, min(MOST_MOVES, len(legal))):
            said = words.say(move, state, seat)
            for reply in (said, f"I have thought about it. {said}", f" {said}.\n"):
                read = words.parse(reply, state, seat)
                if read != move:
                    yield f"seat {seat} says {move!r} as {reply!r}, which is read as {read!r}"


def _thought(place: Place) -> Iterator[str]:
    words, state = place.words, place.state
    for seat in place.seats:
        move = place.rng.choice(place.game.legal_moves(state, seat))
        thoughts = words.thoughts(state, seat)
        if not isinstance(thoughts, tuple) or not all(isinstance(each, str) for each in thoughts):
            yield f"thoughts for seat {seat} is {thoughts!r}, not a tuple of texts"
            continue
        if isinstance(words, NotingWords):
            noted = words.notes(state, seat)
            if not isinstance(noted, str) or not noted.strip():
                yield f"notes for seat {seat} is {noted!r}"
                continue
            thoughts = (*thoughts, noted)
        for thought in thoughts:
            reply = f"{thought} {words.say(move, state, seat)}"
            read = words.parse(reply, state, seat)
            if read != move:
                yield f"seat {seat}'s remark makes {move!r} unreadable: {reply!r} is {read!r}"


def _unread(place: Place) -> Iterator[str]:
    words, state = place.words, place.state
    for seat in place.seats:
        legal = place.game.legal_moves(state, seat)
        replies = [*NO_ANSWERS, words.ask(state, seat).replace("[", "(").replace("]", ")")]
        replies += [f"{words.say(legal[0], state, seat)} unless they hold better"]
        if len(legal) > 1:
            both = [words.say(move, state, seat) for move in legal[:2]]
            replies += [" or ".join(both), f"Not {both[0]}! {both[1]}"]
        for reply in replies:
            read = words.parse(reply, state, seat)
            if not isinstance(read, Unreadable):
                yield f"seat {seat}'s reply {_brief(reply)} is read as {read!r}"


def _reasoned(place: Place) -> Iterator[str]:
    for seat in place.seats:
        for reply in NO_ANSWERS:
            read = place.words.parse(reply, place.state, seat)
            reason = getattr(read, "reason", "no reason, it was read")
            if not reason.strip() or len(reason) > LONGEST_REASON:
                yield f"{_brief(reply)} is refused with a reason of {len(reason):,} characters"
            elif not set(reason) <= set(PRINTABLE):
                yield f"{_brief(reply)} is refused with the reason {reason!r}"


def _asked_again(place: Place) -> Iterator[str]:
    """A forfeit of everybody's still leaves something to say in the next prompt."""
    moved = place.episode
    for _ in place.seats:
        moved = moved.play(FORFEIT)
    if moved.actor is not None and moved.actor in place.seats:
        try:
            Talk(place.words, moved.actor, "fresh").hear(moved)
        except Exception as error:  # of a stranger's code: told, not swallowed
            yield f"seat {moved.actor} cannot be asked: {raised(error)}"


def _brief(reply: str) -> str:
    return repr(reply if len(reply) <= 60 else f"{reply[:60]}...")


DECISION_LAWS: Final = (
    Law(
        "rules, news and ask are printable ASCII, and never empty",
        _plain,
        "they are the prompt; text observations are declared to hold printable ASCII.",
        'write "-" for a dash, and say something even if nothing has happened: "Round 1 of 4."',
    ),
    Law(
        f"a prompt has at most {LONGEST_PROMPT:,} characters",
        _fits,
        "text environments declare that length; a longer prompt is outside their space.",
        "tell less of the past in news, or use a smaller number of rounds.",
    ),
    Law(
        "words are the same at every call",
        _steady,
        "a prompt must be the same in training, in evaluation and in a replay.",
        "make them from the state alone; no clock, no random phrase, no counter.",
    ),
    Law(
        "what say writes parse reads back",
        _read_back,
        "scripted players, expert traces and exact action tables answer with say.",
        "let say and parse share one table of names, and read replies by replies.read_answer.",
    ),
    Law(
        "a thought before a move leaves it readable",
        _thought,
        "expert traces are a thought and then a move; a bracket in it would name a second move.",
        "return a tuple of texts from thoughts, () if there are none, and one text from notes if "
        "you define it; without square brackets.",
    ),
    Law(
        "parse refuses whatever is not exactly one move at the end",
        _unread,
        "a guessed move is a move that the model did not make.",
        "return Unreadable(reason) unless replies.read_answer finds one legal answer.",
    ),
    Law(
        f"a refusal has a reason of 1 to {LONGEST_REASON} printable characters",
        _reasoned,
        "it goes into the next prompt; a quoted reply of 100 kB would go with it.",
        "say what is wanted, and quote no more than a short answer.",
    ),
    Law(
        "there are words after a FORFEIT too",
        _asked_again,
        "a model that has babbled reads the next prompt like any other.",
        "let news tell what the rules made of the forfeit.",
    ),
)
