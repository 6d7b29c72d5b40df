"""Games that each break one law of `sepo_envs.check`, as (the law's first words, domain, message).

All are games of ours with one method changed, or two.
"""

from dataclasses import dataclass, replace
from random import Random

from sepo_envs.catalogue import domain
from sepo_envs.game import FORFEIT, NOT_DEFINED, Penalty, Unreadable, Weights
from sepo_envs.games.kuhn_poker.harms import KuhnPokerHarms
from sepo_envs.games.kuhn_poker.rules import KuhnPoker, Move, Observation
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
from sepo_envs.games.prisoners_dilemma.words import PrisonersDilemmaWords
from sepo_envs.games.split_negotiation.rules import SplitNegotiation
from sepo_envs.games.split_negotiation.rules import State as SplitState
from sepo_envs.games.split_negotiation.words import SplitNegotiationWords

KUHN, SPLIT = domain("kuhn_poker"), domain("split_negotiation")
DILEMMA = domain("prisoners_dilemma")


def mutant(base, **methods):
    """A game or words like ``base``, but with other methods."""
    return type(f"Odd{base.__name__}", (base,), methods)


def kuhn(**methods):
    return replace(KUHN, make=mutant(KuhnPoker, **methods))


def split(**methods):
    return replace(SPLIT, make=mutant(SplitNegotiation, **methods))


def kuhn_words(**methods):
    return replace(KUHN, words=mutant(KuhnPokerWords, **methods))


def split_words(**methods):
    return replace(SPLIT, words=mutant(SplitNegotiationWords, **methods))


def dilemma_words(**methods):
    return replace(DILEMMA, words=mutant(PrisonersDilemmaWords, **methods))


def kuhn_harms(**methods):
    return replace(KUHN, harms=mutant(KuhnPokerHarms, **methods)())


@dataclass
class Thawed:
    history: tuple = ()
    __hash__ = object.__hash__


class ByIdentity:
    def __init__(self, history):
        self.history = history


def play_split(kind):
    def play(self, state, moves):
        return kind(SplitNegotiation.play(self, SplitState(state.history), moves).history)

    return play


def in_place(self, state, moves):
    after = SplitNegotiation.play(self, state, moves)
    object.__setattr__(state, "history", after.history)
    return after


def lucky(self, state, moves):
    """Draws behind the rules' back."""
    drawn = LUCK.choice([1, 2])
    return SplitNegotiation.play(self, state, {0: drawn, 1: moves[1]})


LUCK = Random(0)
RISING = iter(range(10**9))


def crashing(self, state, moves):
    try:
        return KuhnPoker.play(self, state, moves)
    except ValueError as error:
        raise KeyError(*moves.values()) from error


def generous(self, state):
    """A forfeited demand is paid the whole pie."""
    return tuple(
        tuple(float(d or 10) for d in demands) if 0 in demands else paid
        for demands, paid in zip(state.history, SplitNegotiation.payoffs(self, state), strict=True)
    )


def no_forfeits(self, state, moves):
    if FORFEIT in moves.values():
        raise ValueError("no forfeits here")
    return KuhnPoker.play(self, state, moves)


def outcomes(change):
    def chance_outcomes(self, state):
        return change(KuhnPoker.chance_outcomes(self, state))

    return chance_outcomes


@dataclass(frozen=True)
class Peeking(Observation):
    """Sees the whole table."""

    table: object = None

    @staticmethod
    def at(seen, state):
        return Peeking(seen.seat, seen.card, seen.line, seen.settled, state)


@dataclass(frozen=True)
class Told:
    """An observation with an infostate of one's own making."""

    seen: object
    infostate: str
    situation: str


def both_cards(self, state, seat):
    dealt = KuhnPokerWords.news(self, state, seat)
    return f"{dealt} (The cards are {', '.join(card.name for card in state.hand.cards)}.)"


def first_of(reply, state):
    """Scans prose for a move."""
    return Move.BET if "bet" in reply else Move.PASS if "check" in reply else Unreadable("no move")


def penalties(change):
    def measured(self, game, state, seat, *, profile):
        found = KuhnPokerHarms.penalties(self, game, state, seat, profile=profile)
        return change(found)

    return measured


BROKEN = [
    # rules: the game itself
    ("the game has the domain's name", kuhn(name=property(lambda self: "poker")), "'poker'"),
    ("seats, rounds and longest", kuhn(rounds=property(lambda self: 1.5)), "rounds is 1.5"),
    ("moves lists", kuhn(moves=property(lambda self: [*Move])), "moves is [<Move.PASS"),
    ("moves lists", kuhn(moves=property(lambda self: (*Move, Move.BET))), "<Move.BET: 'bet'>)"),
    ("feature names", kuhn(feature_names=property(lambda self: ("x",) * 9)), "('x', 'x'"),
    (
        "a game can be made again",
        replace(KUHN, make=lambda size=1: KuhnPoker(size)),
        "unexpected keyword argument 'hands'",
    ),
    # rules: every state
    (
        "a state is a frozen value",
        split(start=lambda self: Thawed(), play=play_split(Thawed)),
        None,
    ),
    (
        "a state is a frozen value",
        split(start=lambda self: ByIdentity(()), play=play_split(ByIdentity)),
        "a copy of the state is not equal to it",
    ),
    ("actors are", split(actors=lambda s, t: (1, 0) if len(t.history) < 4 else ()), "(1, 0)"),
    ("actors are", replace(SPLIT, simultaneous=False), "the domain has simultaneous=False"),
    ("chance has outcomes", kuhn(chance_outcomes=outcomes(lambda o: o[:-1] or o)), "sum to 0.66"),
    ("chance has outcomes", split(chance_outcomes=lambda s, t: ((1, 1.0),)), "where (0, 1) act"),
    ("who is to move", kuhn(legal_moves=lambda s, t, seat: tuple(Move)), "chance has the legal"),
    (
        "who is to move",
        split(legal_moves=lambda s, t, seat: (0, 5) if seat in s.actors(t) else ()),
        "its legal moves are (0, 5)",
    ),
    ("every finished round", replace(SPLIT, zero_sum=True), "the domain has zero_sum=True"),
    ("every finished round", kuhn(payoffs=lambda s, t: ((1.0,),)), "a round pays (1.0,)"),
    ("every finished round", kuhn(payoffs=lambda s, t: ((0.0, 0.0),) * 2), "2 rounds are paid"),
    ("features are numbers", kuhn(features=lambda s, t, seat: (0.0,) * 8), "8 features"),
    ("features are numbers", kuhn(features=lambda s, t, seat: (2.0,) * 9), "is 2.0"),
    (
        "observations are",
        kuhn(observe=lambda s, t, seat: (seat, t)),
        "has no attribute 'infostate'",
    ),
    ("observations are", kuhn(observe=lambda s, t, seat: [seat]), "unhashable type: 'list'"),
    ("no seat decides more", kuhn(longest=property(lambda self: 1)), "but longest is 1"),
    (
        "a saved episode",
        split(
            moves=property(lambda self: tuple(map(frozenset, ([1], [2])))),
            legal_moves=lambda s, t, seat: s.moves if seat in s.actors(t) else (),
            play=lambda s, t, m: SplitState((*t.history, (1, 1))),
        ),
        "frozenset is not JSON serializable",
    ),
    # rules: every turn
    ("play is a pure function", split(play=in_place), "has changed the state"),
    ("play is a pure function", split(play=lucky), "leads to two different states"),
    (
        "payoffs are only ever added to",
        split(payoffs=lambda s, t: ((float(len(t.history)), 0.0),) * len(t.history)),
        "turns the payoffs ((1.0, 0.0),) into ((2.0, 0.0), (2.0, 0.0))",
    ),
    ("play refuses illegal moves", kuhn(play=crashing), "raises KeyError in place of ValueError"),
    (
        "play refuses illegal moves",
        split(play=lambda s, t, m: SplitState((*t.history, (1, 1)))),
        "play({}) is accepted",
    ),
    ("every seat that is to move", kuhn(play=no_forfeits), "no forfeits here"),
    ("a FORFEIT never pays more", split(payoffs=generous), "gets 10 for a FORFEIT"),
    # information
    (
        "an infostate belongs to one seat",
        split(observe=lambda s, t, seat: Told(None, str(t.history), f"{seat}{t.history}")),
        "seats 0 and 1 both decide in infostate '()'",
    ),
    (
        "an infostate remembers",
        split(observe=lambda s, t, seat: Told(None, f"{seat}: {len(t.history)}", "")),
        "seat 0 is in infostate '0: 1' after",
    ),
    (
        "a situation has the same",
        split(
            legal_moves=lambda s, t, seat: s.moves[len(t.history) :] if seat in s.actors(t) else (),
            observe=lambda s, t, seat: Told(None, f"{seat}:{t.history}", ""),
        ),
        "in situation ''",
    ),
    ("a seat is shown nothing", kuhn_words(news=both_cards), "news tells chance's"),
    (
        "a seat is shown nothing",
        kuhn(observe=lambda s, t, seat: Peeking.at(KuhnPoker.observe(s, t, seat), t)),
        "observation tells chance's",
    ),
    # words
    ("show tells every state", kuhn_words(show=lambda s, t: ""), "show returns ''"),
    ("show tells every state", kuhn_words(show=lambda s, t: "\u2660"), "show holds"),
    ("conversations are numbered", kuhn_words(conversation=lambda s, t: None), "is None"),
    (
        "conversations are numbered",
        kuhn_words(conversation=lambda s, t: -len(t.hand.cards)),
        "goes back from",
    ),
    ("rules, news and ask", kuhn_words(rules=lambda s, seat: "Caf\u00e9"), "rules holds"),
    ("rules, news and ask", kuhn_words(ask=lambda s, t, seat: " "), "ask tells seat 0 ' '"),
    ("a prompt has at most", kuhn_words(rules=lambda s, seat: "x" * 8_000), "characters"),
    (
        "words are the same at every call",
        kuhn_words(news=lambda s, t, seat: f"News {next(RISING)}."),
        "two calls of <lambda> for seat 0 differ",
    ),
    ("what say writes", kuhn_words(say=lambda s, m, t, seat: f"[{m}]"), "is read as Unreadable"),
    (
        "a thought before a move",
        kuhn_words(thoughts=lambda s, t, seat: ("I might [bet] or [check].",)),
        "makes",
    ),
    (
        "a thought before a move",
        kuhn_words(notes=lambda s, t, seat: "So far: [bet]."),
        "makes",
    ),
    ("parse refuses", kuhn_words(parse=lambda s, r, t, seat: first_of(r, t)), "is read as <Move"),
    (
        "a refusal has a reason",
        kuhn_words(parse=lambda s, r, t, seat: Unreadable(f"I cannot read {r}")),
        "characters",
    ),
    (
        "there are words after a FORFEIT",
        split_words(
            news=lambda s, t, seat: ["breakdown", "", "deal"][
                len([d for d in t.history[-1:] if 0 in d]) * 9
            ]
        ),
        "list index out of range",
    ),
    # what still matters
    (
        "present and memory",
        dilemma_words(memory=lambda s, t: ()),
        "the prompt is 'In round 1",
    ),
    (
        "present and memory",
        kuhn(
            past=KuhnPoker.past,
            present=lambda s, t: (len(t.settled), replace(t.hand, cards=t.hand.cards[:1])),
            rejoin=KuhnPoker.rejoin,
        ),
        "the state is State(",
    ),
    # harms
    ("profiles are named", kuhn_harms(profiles=property(lambda self: ())), "profiles is ()"),
    (
        "profiles are named",
        kuhn_harms(
            penalties=lambda s, g, t, seat, profile: KuhnPokerHarms.penalties(
                s, g, t, seat, profile="paper"
            )
        ),
        "is accepted",
    ),
    (
        "published weights",
        kuhn_harms(published=property(lambda self: Weights(1.0, -1.0, 0.0, 0.0))),
        "exploitability=-1.0",
    ),
    (
        "harms that are told by round",
        kuhn_harms(
            penalties=lambda s, g, t, seat, profile: KuhnPokerHarms().penalties(
                g, t, seat, profile=profile
            ),
            of_round=lambda s, g, points, seat, profile: (9.0, None, None),
        ),
        "not (9.0,)",
    ),
    (
        "a defined penalty",
        kuhn_harms(penalties=penalties(lambda p: p._replace(collusion=Penalty(())))),
        "collusion in profile 'paper' has the contributions ()",
    ),
    (
        "a defined penalty",
        kuhn_harms(
            penalties=penalties(
                lambda p: p._replace(collusion=NOT_DEFINED._replace(per_round=(0.0,)))
            )
        ),
        "is not defined, and has the contributions (0.0,)",
    ),
    (
        "penalties are a pure",
        kuhn_harms(
            penalties=penalties(lambda p: p._replace(collusion=Penalty((float(next(RISING)),))))
        ),
        "two measurements",
    ),
]
