"""What the warm start imitates: demonstrators' moves, in the words in which it will be asked."""

from collections import Counter

import pytest
from scipy.stats import chi2_contingency, chisquare

from opponents.kuhn_poker import DEMONSTRATORS, SITUATIONS
from sepo_envs.games.kuhn_poker.rules import Move
from sepo_trainer.demonstrations import write_traces
from tests.sepo_trainer.runs import UNTRAINED, run_with

EPISODES = 4_000


@pytest.fixture(scope="module", params=["fresh", "conversation"])
def written(request):
    run = run_with(UNTRAINED, style=request.param)
    traces = write_traces(
        run.stage, run.renderer, run_seed=0, episodes=EPISODES, style=request.param
    )
    return run, traces


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


def test_every_trace_can_be_read_and_is_closed(written):
    run, traces = written
    for prompt, reply in traces:
        text = run.renderer.text(reply)
        assert reply[-1] == run.renderer.end_id
        assert text.split()[-1] in ("[check]", "[bet]", "[fold]", "[call]")
        assert run.language.tokenizer.decode(list(prompt)).endswith("assistant\n")


def test_moves_are_as_frequent_as_the_cited_mixture_makes_them(written):
    """Where nothing came before: each demonstrator's own odds, weighted by its published share."""
    run, traces = written
    moved: dict[str, Counter] = {}
    for (prompt, reply), times in traces.items():
        where = situation(run.language.tokenizer.decode(list(prompt)))
        bet = run.renderer.text(reply).endswith(("[bet]", "[call]"))
        moved.setdefault(where, Counter())[bet] += times
    assert moved.keys() == set(SITUATIONS)
    tree = run.stage.tree
    for where in SITUATIONS:
        if where.endswith("pb"):
            continue  # here an earlier check has told the demonstrators apart
        seen = run.stage.game.observe(tree.example(where).state, tree.seat(where))
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
    run, traces = written
    said: dict[str, Counter] = {}
    for (prompt, reply), times in traces.items():
        thought, _, move = run.renderer.text(reply).rpartition("[")
        where = situation(run.language.tokenizer.decode(list(prompt)))
        said.setdefault(where, Counter())[thought, move] += times
    chances = []
    for counts in said.values():
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
        write_traces(run.stage, run.renderer, run_seed=seed, episodes=50, style="fresh")
        for seed in (0, 0, 1)
    )
    assert list(one.items()) == list(again.items())
    assert one != other
