"""What a configuration puts together: who is met, at which rate, under which weights."""

import pytest

from opponents.adaptive import every_seat
from opponents.kuhn_poker import NASH, nash_table
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_trainer.courses.scores import score
from sepo_trainer.stage import set_stage
from sepo_trainer.train import train
from tests.sepo_trainer.runs import UNTRAINED, run_with

TREE = GameTree(KuhnPoker())
SHORT = {"max_new_tokens": 4}


def exploiters(kind: str, *tables: ActionTable, **objective: object) -> dict[str, ActionTable]:
    """Who stands in the exploit pool after the policy has had these tables, written out."""
    run = run_with(UNTRAINED, objective={"exploiter": kind, **objective}, rollout=SHORT)
    for table in tables:
        met = run.course.opponents(table)
        run.course.remember(table)
    return {opponent.name: TREE.written_out(opponent) for opponent in met["exploit"]}


def test_the_best_response_is_worked_out_against_the_policy_of_the_iteration():
    """From each seat it earns what no other strategy can against that table."""
    for table in (TREE.uniform(), nash_table(0.0)):
        found = exploiters("best_response", table)
        assert found.keys() == {"always-bet", "best-response"}
        for seat in (0, 1):
            tables = [table, table]
            tables[seat] = found["best-response"]
            best = TREE.best_response(table, seat).value
            assert TREE.returns(tables)[seat] == pytest.approx(best, abs=1e-12)


def test_the_averaged_exploiter_earns_the_average_of_all_best_responses_so_far():
    """Kuhn's theorem, against a third policy."""
    first, second = TREE.uniform(), nash_table(1 / 3)
    average = exploiters("average", first, second)["average-response"]
    other = nash_table(0.0)
    for seat in (0, 1):

        def earned(mine: ActionTable, seat: int = seat) -> float:
            tables = [other, other]
            tables[seat] = mine
            return float(TREE.returns(tables)[seat])

        apiece = [earned(every_seat(TREE, table)) for table in (first, second)]
        assert earned(average) == pytest.approx(sum(apiece) / 2, abs=1e-12)


def test_a_quantal_exploiter_is_uniform_when_hot_and_a_best_response_when_cold():
    hot, cold = (
        exploiters("quantal", TREE.uniform(), exploiter_temperature=temperature)
        for temperature in (1e6, 1e-3)
    )
    [trembling] = [table for name, table in hot.items() if name != "always-bet"]
    [sharp] = [table for name, table in cold.items() if name != "always-bet"]
    for situation, row in TREE.uniform().rows.items():
        assert trembling[situation] == pytest.approx(row, abs=1e-5)
    for seat in (0, 1):
        tables = [TREE.uniform()] * 2
        tables[seat] = sharp
        best = TREE.best_response(TREE.uniform(), seat).value
        assert TREE.returns(tables)[seat] == pytest.approx(best, abs=1e-2)


def test_without_an_exploiter_only_the_scripted_one_is_met():
    assert exploiters("none", TREE.uniform()).keys() == {"always-bet"}


def test_the_learning_rate_falls_in_a_line_to_its_final_share():
    """By hand: from 0.1 to a fifth of it in five iterations."""
    learning = {"iterations": 5, "learning_rate": 0.1, "final_rate": 0.2}
    run = run_with(UNTRAINED, learning=learning)
    rates = [run.learning_rate(iteration) for iteration in range(5)]
    assert rates == pytest.approx([0.1, 0.08, 0.06, 0.04, 0.02])
    once = run_with(UNTRAINED, learning=learning | {"iterations": 1})
    assert once.learning_rate(0) == 0.1


def test_the_entropy_bonus_falls_in_a_line_to_nothing_and_the_rest_stays():
    """By hand: .2 in five iterations; a single iteration has all of it."""
    learning = {"iterations": 5, "entropy": 0.2, "clip": 0.1}
    reference = {"kl_talk": 3.0, "kl_move": 0.5}
    run = run_with(UNTRAINED, learning=learning, reference=reference)
    pulls = [run.course.pull(iteration) for iteration in range(5)]
    assert [pull.entropy for pull in pulls] == pytest.approx([0.2, 0.15, 0.1, 0.05, 0.0])
    assert {(pull.clip, pull.kl_talk, pull.kl_move) for pull in pulls} == {(0.1, 3.0, 0.5)}
    once = run_with(UNTRAINED, learning=learning | {"iterations": 1}, reference=reference)
    assert once.course.pull(0).entropy == 0.2


def test_an_update_follows_the_loss_that_is_set_and_divides_by_the_longest_reply():
    learning = {"loss": "dr_grpo", "clip_high": 0.28}
    run = run_with(UNTRAINED, learning=learning, rollout={"max_new_tokens": 9})
    pull = run.course.pull(0)
    assert (pull.loss, pull.clip, pull.clip_high, pull.longest) == ("dr_grpo", 0.2, 0.28, 9)


def test_a_game_is_read_out_only_where_its_tree_is_small_and_nothing_is_hidden_from_it():
    """J of a game that is not zero sum has harms that the tree does not know."""
    assert {name for name in CATALOGUE if set_stage(name).tree is not None} == {"kuhn_poker"}
    run = run_with(UNTRAINED, game={"name": "prisoners_dilemma"})
    assert run.course.reader is None
    assert run.course.table() is None
    reading = run.course.read()
    assert (reading.table, reading.scores) == (None, None)
    assert reading.opponents.keys() == {"train", "exploit", "collusive"}


def test_the_weights_are_the_published_ones_but_for_those_that_are_set():
    """arXiv 2605.30854 prints s = 3/2 and 1.5, 2.4, 0 for Kuhn poker."""
    published = run_with(UNTRAINED).course.weights
    assert (published.scale, published.exploitability) == (1.5, 1.5)
    assert (published.collusion, published.externality) == (2.4, 0.0)
    changed = run_with(UNTRAINED, objective={"exploitability": 3.0, "scale": 1.0}).course.weights
    assert (changed.scale, changed.exploitability, changed.collusion) == (1.0, 3.0, 2.4)


def test_an_equilibrium_scores_no_exploitability_and_the_value_of_the_game():
    """Against its twin it earns 0 over both seats, and J is then s times its train payoffs."""
    run = run_with(UNTRAINED)
    table = nash_table(1 / 3)
    scores = score(TREE, table, run.course.opponents(table), run.course.weights)
    assert scores.exploitability.value == pytest.approx(0.0, abs=1e-12)
    assert scores.e == pytest.approx(0.0, abs=1e-12)
    assert scores.against[NASH.name].payoff == pytest.approx(0.0, abs=1e-12)
    assert scores.objective == pytest.approx(1.5 * scores.u, abs=1e-12)


def test_a_reply_too_long_to_be_finished_covers_nothing():
    """Four tokens end no reply with a thought; the table must not promise what play cuts off."""
    table = run_with(UNTRAINED, rollout={"max_new_tokens": 2}).course.table()
    assert set(table.uncovered.values()) == {1.0}


def test_a_stage_that_does_not_exist_or_has_no_such_rule_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'kuhn_poker'"):
        set_stage("kuhn_pokr")
    with pytest.raises(ValueError, match=r"game.options: .*'hand'.* has: hands\."):
        set_stage("kuhn_poker", {"hand": 3})


def test_nothing_is_learned_from_replies_of_earlier_weights(monkeypatch):
    """Where the newest weights do not arrive, the next iteration stops before its update."""
    run = run_with(UNTRAINED, learning={"iterations": 3}, rollout=SHORT)
    monkeypatch.setattr(type(run), "publish", lambda self: None)
    done = []
    with pytest.raises(RuntimeError, match="iteration 1 were written by weights of version 0"):
        train(run, done.extend)
    assert [step.iteration for step in done] == [0]
