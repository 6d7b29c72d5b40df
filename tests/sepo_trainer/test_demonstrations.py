"""What the warm start imitates: demonstrators' moves, in the words in which it will be asked."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from random import Random

import pytest
from scipy.stats import chi2_contingency, chisquare

from opponents.kuhn_poker import DEMONSTRATORS, SITUATIONS
from opponents.opponent import Opponent
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.episode import Episode
from sepo_envs.games.kuhn_poker.rules import Move
from sepo_envs.games.repeated_auction.rules import Round, State
from sepo_envs.protocol import Message, Talk
from sepo_trainer.learning.demonstrations import write_traces
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.policy.tokenizer import ASSISTANT, END, embedded_tokenizer
from sepo_trainer.records import Ids, Trace
from sepo_trainer.stage import set_stage
from tests.sepo_trainer.runs import UNTRAINED, run_with

EPISODES = 4_000
STYLES = ("fresh", "conversation")


def replies(trace: Trace) -> Iterator[tuple[Ids, Ids]]:
    """What the expert read before each reply of a trace, and the reply."""
    read = trace.prompt_ids
    for written, run in groupby(
        zip(trace.written, trace.rest_ids, strict=True), lambda one: one[0]
    ):
        ids = tuple(token for _, token in run)
        if written:
            yield read, ids
        read += ids


@pytest.fixture(scope="module", params=STYLES)
def written(request):
    """A run, and what was said: (prompt, reply) as texts, and how often."""
    run = run_with(UNTRAINED, style=request.param)
    traces = write_traces(
        run.course.stage, run.renderer, run_seed=0, episodes=EPISODES, style=request.param
    )
    said: Counter[tuple[str, str]] = Counter()
    for trace, times in traces.items():
        for prompt, reply in replies(trace):
            text = run.language.tokenizer.decode(list(prompt))
            said[text, run.renderer.text(reply)] += times
    return run, said


def situation(prompt: str) -> str:
    """By hand, from the words alone."""
    card = next(
        letter
        for letter, name in (("J", "Jack"), ("Q", "Queen"), ("K", "King"))
        if f"dealt the {name}." in prompt
    )
    if "Your opponent checks." in prompt:
        return card + "p"
    if "Your opponent bets." in prompt:
        return card + ("pb" if "You act first." in prompt else "b")
    return card


def test_every_reply_can_be_read_where_the_assistant_speaks(written):
    _, said = written
    for prompt, reply in said:
        assert reply.split()[-1] in ("[check]", "[bet]", "[fold]", "[call]")
        assert prompt.endswith(ASSISTANT)


def test_moves_are_as_frequent_as_the_cited_mixture_makes_them(written):
    """Where nothing came before: each demonstrator's own odds, weighted by its published share."""
    run, said = written
    moved: dict[str, Counter] = {}
    for (prompt, reply), times in said.items():
        moved.setdefault(situation(prompt), Counter())[reply.endswith(("[bet]", "[call]"))] += times
    assert moved.keys() == set(SITUATIONS)
    tree = run.course.stage.tree
    for where in SITUATIONS:
        if where.endswith("pb"):
            continue  # here an earlier check has told the demonstrators apart
        seen = run.course.stage.game.observe(tree.example(where).state, tree.seat(where))
        odds = sum(
            weight * opponent.probabilities(seen, tuple(Move)).get(Move.BET, 0.0)
            for opponent, weight in DEMONSTRATORS
        ) / sum(weight for _, weight in DEMONSTRATORS)
        total = moved[where].total()
        if 0 < odds < 1:
            counts = [moved[where][True], moved[where][False]]
            assert chisquare(counts, [odds * total, (1 - odds) * total]).pvalue > 1e-4
        else:
            assert moved[where][True] == odds * total


def test_a_thought_says_nothing_about_the_move(written):
    """Reasons in traces fit every move, so that they cannot give it away."""
    _, said = written
    counted: dict[str, Counter] = {}
    for (prompt, reply), times in said.items():
        thought, _, move = reply.rpartition("[")
        counted.setdefault(situation(prompt), Counter())[thought, move] += times
    chances = []
    for counts in counted.values():
        thoughts, moves = (sorted({key[part] for key in counts}) for part in (0, 1))
        assert len(thoughts) == 3
        table = [[counts[thought, move] for move in moves] for thought in thoughts]
        if len(moves) == 2 and min(min(row) for row in table) >= 5:
            chances.append(chi2_contingency(table).pvalue)
    assert len(chances) > 6
    assert min(chances) > 1e-3


def test_the_same_seed_writes_the_same_traces_and_another_seed_others():
    run = run_with(UNTRAINED)
    one, again, other = (
        write_traces(run.course.stage, run.renderer, run_seed=seed, episodes=50, style="fresh")
        for seed in (0, 0, 1)
    )
    assert list(one.items()) == list(again.items())
    assert one != other


def test_without_thoughts_a_reply_is_the_bare_move():
    run = run_with(UNTRAINED)
    traces = write_traces(
        run.course.stage, run.renderer, run_seed=0, episodes=50, style="fresh", thoughts=False
    )
    said = {run.renderer.text(reply) for trace in traces for _, reply in replies(trace)}
    assert said == {"[check]", "[bet]", "[fold]", "[call]"}


def test_notes_are_what_can_be_counted_in_the_chat():
    """Counted here from what the expert read, where the words count the rules' own states."""
    run = run_with(UNTRAINED, style="conversation", group_size=4, game={"name": "repeated_auction"})
    traces = write_traces(
        run.course.stage,
        run.renderer,
        run_seed=0,
        episodes=60,
        style="conversation",
        thoughts=False,
        notes=True,
    )
    seen = set()
    for trace in traces:
        for prompt, reply in replies(trace):
            told = run.language.tokenizer.decode(list(prompt))
            bids = re.findall(r"and your opponent bid (\d)", told)
            times = ",".join(str(bids.count(bid)) for bid in "123")
            said = run.renderer.text(reply)
            assert said[:-3] == f"My opponent bid 1,2,3: {times}. "
            assert run.course.stage.words.parse(said, State(round=Round((2, 2))), 0) in (1, 2, 3)
            seen.add(times)
    assert len(seen) > 20


def test_a_reason_follows_the_notes():
    run = run_with(UNTRAINED, style="conversation", group_size=4, game={"name": "repeated_auction"})
    traces = write_traces(
        run.course.stage, run.renderer, run_seed=0, episodes=20, style="conversation", notes=True
    )
    said = [run.renderer.text(reply) for trace in traces for _, reply in replies(trace)]
    assert any("0,0,0. The item is worth 4 to me. [" in text for text in said)


def test_a_game_with_nothing_to_note_refuses_to_take_notes():
    with pytest.raises(ValueError, match="words of KuhnPoker have no notes to write down"):
        run_with(UNTRAINED, warm_start={"steps": 0, "notes": True})


# Every domain, in both styles, against the experts' own account.


@dataclass
class Account:
    """Who was asked where, and what the expert drew, in order."""

    asked: list[tuple[int, Episode]] = field(default_factory=list)
    moves: list[object] = field(default_factory=list)

    def of(self, seat: int) -> list[tuple[Episode, object]]:
        return [
            (episode, move)
            for (actor, episode), move in zip(self.asked, self.moves, strict=True)
            if actor == seat
        ]


@dataclass
class Told:
    """An expert who keeps account of what it drew."""

    expert: Opponent
    account: Account

    def act(self, observation, legal, rng: Random):
        self.account.moves.append(self.expert.act(observation, legal, rng))
        return self.account.moves[-1]


TOKENIZER = embedded_tokenizer()
RENDERER = Renderer(TOKENIZER)


@cache
def demonstrated(name: str, style: str) -> list[tuple[list[Trace], Account]]:
    """Six episodes, each alone: its traces, one seat after the other, and what really went on."""
    found = []
    hear = Talk.hear
    for number in range(6):
        account, stage = Account(), set_stage(name)
        experts = tuple((Told(e, account), weight) for e, weight in stage.demonstrators)

        def note(talk: Talk, episode: Episode, account: Account = account) -> Talk:
            account.asked.append((talk.seat, episode))
            return hear(talk, episode)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Talk, "hear", note)
            traces = write_traces(
                replace(stage, demonstrators=experts),
                RENDERER,
                run_seed=number,
                episodes=1,
                style=style,
            )
        found.append((list(traces.elements()), account))
    return found


def template(messages: tuple[Message, ...], *, ask: bool) -> str:
    """The chat as the template alone writes it, which knows nothing of what was held."""
    return TOKENIZER.apply_chat_template(
        [message._asdict() for message in messages], tokenize=False, add_generation_prompt=ask
    )


def own_words(trace: Trace) -> str:
    pairs = zip(trace.rest_ids, trace.written, strict=True)
    return TOKENIZER.decode([token for token, mine in pairs if mine])


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_conversation_is_one_trace_and_says_the_experts_moves(name):
    """Held against the chat, written out anew by the template, and against what was drawn."""
    words = set_stage(name).words
    for traces, account in demonstrated(name, "conversation"):
        assert len(traces) == 2
        for seat, trace in enumerate(traces):
            talk, spoken = Talk(words, seat, "conversation"), ""
            decided = account.of(seat)
            for (episode, move), (_, reply) in zip(decided, replies(trace), strict=True):
                text = RENDERER.text(reply)
                assert words.parse(text, episode.state, seat) == move
                talk, _ = talk.hear(episode).reply(text, episode)
                spoken += text + END
            whole = TOKENIZER.decode(list(trace.prompt_ids + trace.rest_ids))
            assert whole == template(talk.messages, ask=False)
            assert own_words(trace) == spoken
            assert TOKENIZER.decode(list(trace.prompt_ids)) == template(talk.messages[:1], ask=True)


@pytest.mark.parametrize("name", CATALOGUE)
def test_with_fresh_prompts_every_decision_is_a_trace_that_says_its_move(name):
    words = set_stage(name).words
    for traces, account in demonstrated(name, "fresh"):
        asked, expected = {}, Counter()
        for seat in (0, 1):
            for episode, move in account.of(seat):
                prompt = template(Talk(words, seat, "fresh").hear(episode).messages, ask=True)
                asked[prompt] = (episode.state, seat)
                expected[prompt, move] += 1
        read_back = Counter()
        for trace in traces:
            assert all(trace.written)
            prompt = TOKENIZER.decode(list(trace.prompt_ids))
            text, end, rest = own_words(trace).partition(END)
            assert (end, rest) == (END, "")
            read_back[prompt, words.parse(text, *asked[prompt])] += 1
        assert read_back == expected


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CATALOGUE)
def test_what_is_told_between_replies_is_never_imitated(name, style):
    """An expert's tokens end with the end token, and no other end token of the trace is its own."""
    for traces, account in demonstrated(name, style):
        for trace in traces:
            ends = [
                mine
                for t, mine in zip(trace.rest_ids, trace.written, strict=True)
                if t == RENDERER.end_id
            ]
            told = [mine for mine in ends if not mine]
            said = list(replies(trace))
            assert all(reply[-1] == RENDERER.end_id for _, reply in said)
            assert len(told) == len(said) - 1  # one message of the user between two replies
        assert sum(len(list(replies(trace))) for trace in traces) == len(account.moves)
