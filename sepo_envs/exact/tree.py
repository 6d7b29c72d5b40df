"""A whole game written out as arrays, and what can be computed on it exactly.

Best responses, quantal responses, expected returns, NashConv and exploitability of any policy that
can be written as an `ActionTable`. One backward pass serves them all: at the responder's sets a
*choice rule* turns the payoffs of its moves into probabilities (the maximum for a best response, a
softmax for a quantal one).

Built for a policy that changes at every training step: the tree is enumerated once and each pass is
a few numpy calls per depth. OpenSpiel gives the same numbers through `sepo_envs.exact.bridge`,
which the tests hold it against.

>>> from sepo_envs.games.kuhn_poker.rules import KuhnPoker
>>> tree = GameTree(KuhnPoker())
>>> len(tree.situations), round(tree.exploitability(tree.uniform()), 4)
(12, 0.4583)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sepo_envs.episode import Episode, begin
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.certified import Certified, covered
from sepo_envs.exact.histories import Level, Turn
from sepo_envs.exact.reading import Policy, read
from sepo_envs.game import CHANCE, Game, Move, State

Floats = NDArray[np.float64]
Choice = Callable[[Floats, NDArray[np.bool_]], Floats]
"""``(values, legal) -> probabilities``, each ``(information sets, moves)``; values in points."""


class Response(NamedTuple):
    """What a seat earns, in points per episode, by a response, and the response itself."""

    value: float
    table: ActionTable


class TooLargeError(ValueError):
    """A game has more histories than were allowed."""


class GameTree:
    """Every history of ``game``, enumerated once.

    Args:
        game: any rulebook with perfect recall in which the nodes of an information set have the
            same depth.
        most_nodes: refuse a tree with more nodes than this.

    Raises:
        ValueError: the tree is too large, or one situation spans two seats, depths or move lists
            (a match of several hands does: solve the single hand).
    """

    def __init__(self, game: Game, *, most_nodes: int = 1_000_000) -> None:
        self.game = game
        sets: dict[str, tuple[int, int, int, tuple[Move, ...]]] = {}
        numbers = {move: number for number, move in enumerate(game.moves)}
        edges: list[list[tuple[int, int, int, int, float]]] = []
        leaves: dict[int, State] = {}
        self._first: list[int] = []
        """The first node of each situation."""
        self._examples: dict[str, Episode] = {}
        self._came: list[tuple[int, Move]] = [(0, None)]
        """Each node's parent, and the move that led from there."""
        frontier = [(0, Turn(game, game.start()), ())]
        while frontier:
            depth, level = len(edges), []
            below: list[tuple[int, Turn, tuple[Move, ...]]] = []
            for node, turn, pending in frontier:
                if not turn.actors:
                    leaves[node] = turn.state
                    continue
                steps: Sequence[tuple[int, int, Move, float]]
                if turn.actors[0] == CHANCE:
                    steps = [(-1, -1, *step) for step in game.chance_outcomes(turn.state)]
                else:
                    key, legal = turn.asked(len(pending))
                    actor = turn.actors[len(pending)]
                    row, *known = sets.setdefault(key, (len(sets), actor, depth, legal))
                    if tuple(known) != (actor, depth, legal):
                        raise ValueError(
                            f"situation {key!r} of {game.name} spans two seats, depths or lists of "
                            "legal moves, so it is no information set of one tree. Solve a single "
                            "hand or round instead of the match."
                        )
                    if row == len(self._first):
                        self._first.append(node)
                    steps = [(row, numbers[move], move, 1.0) for move in legal]
                if len(self._came) + len(steps) > most_nodes + 1:
                    raise TooLargeError(
                        f"{game.name} has more than {most_nodes:,} histories. Solve a shorter "
                        "horizon, raise most_nodes if memory allows, or take a lower bound "
                        "(sepo_envs.exact.lower_bound)."
                    )
                for row, number, move, chance in steps:
                    child = len(self._came)
                    level.append((node, child, row, number, chance))
                    below.append((child, *turn.play(pending, move)))
                    self._came.append((node, move))
            edges.append(level)
            frontier = below
        self._levels = [
            Level(*(np.array(column) for column in zip(*level, strict=True)))
            for level in edges
            if level
        ]
        self._returns = np.zeros((len(self._came), game.seats))
        for node, state in leaves.items():
            self._returns[node] = [sum(points) for points in zip(*game.payoffs(state), strict=True)]
        self._ends = np.array(sorted(leaves))
        self.situations = tuple(sets)
        self._row = {situation: row for row, situation in enumerate(sets)}
        self._seat = np.array([seat for _, seat, _, _ in sets.values()], dtype=np.int64)
        self._legal = np.zeros((len(sets), len(game.moves)), dtype=bool)
        for row, _, _, legal in sets.values():
            self._legal[row, [numbers[move] for move in legal]] = True
        self._moves = {
            situation: tuple(move for move in game.moves if move in legal)
            for situation, (_, _, _, legal) in sets.items()
        }

    def seat(self, situation: str) -> int:
        """Whose decision ``situation`` is."""
        return int(self._seat[self._row[situation]])

    def example(self, situation: str) -> Episode:
        """One episode that has come to ``situation``, whose seat is to move."""
        if situation not in self._examples:
            node, moves = self._first[self._row[situation]], []
            while node:
                node, move = self._came[node]
                moves.append(move)
            episode = begin(self.game)
            for move in reversed(moves):
                episode = episode.play(move)
            self._examples[situation] = episode
        return self._examples[situation]

    def legal_moves(self, situation: str) -> tuple[Move, ...]:
        return self._moves[situation]

    def uniform(self) -> ActionTable:
        """Every legal move equally likely."""
        return self._table(self._legal / self._legal.sum(1, keepdims=True))

    def written_out(self, policy: Policy) -> ActionTable:
        """``policy`` as a table of every situation of every seat."""
        alike: dict[tuple[Move, ...], list[str]] = {}
        for situation, legal in self._moves.items():
            alike.setdefault(legal, []).append(situation)
        rows, uncovered = {}, {}
        for legal, situations in alike.items():
            seen = [
                self.game.observe(self.example(situation).state, self.seat(situation))
                for situation in situations
            ]
            found = read(policy, seen, legal)
            for situation, row, missing in zip(
                situations, found.rows, found.uncovered, strict=True
            ):
                rows[situation] = dict(zip(legal, row.tolist(), strict=True))
                if missing:
                    uncovered[situation] = float(missing)
        return ActionTable({situation: rows[situation] for situation in self.situations}, uncovered)

    def returns(self, policies: Policy | Sequence[Policy]) -> Floats:
        """Expected points, ``(seats,)``; seat i plays ``policies[i]``, or all play one policy."""
        policy = self._joint(policies)
        value = self._returns.copy()
        for level in reversed(self._levels):
            weight = self._edge_probability(level, policy)
            np.add.at(value, level.parent, weight[:, None] * value[level.child])
        total: Floats = value[0]
        return total

    def best_response(self, policy: Policy, seat: int) -> Response:
        """The most that ``seat`` can earn against ``policy``; of equal moves it takes the first."""
        return self.respond(policy, seat, _highest)

    def quantal_response(self, policy: Policy, seat: int, *, temperature: float) -> Response:
        """The response that plays softmax(payoff / temperature) at every information set.

        The payoffs count the responder's own later, equally noisy, play, so this is the fixed point
        of responding to the policy with a tremble. Temperature in points.

        Source: McKelvey and Palfrey (1995), logit response; used as opponents by QARL,
        arXiv 2311.01642.
        """
        if temperature <= 0:
            raise ValueError(
                f"temperature is {temperature}, but a quantal response needs one above 0 points; "
                "for the limit at 0 use best_response."
            )
        return self.respond(policy, seat, lambda q, legal: _softmax(q / temperature, legal))

    def respond(self, others: Policy, seat: int, choose: Choice) -> Response:
        """``seat``'s response to ``others`` under a choice rule, by one backward pass."""
        policy = self._array(self._as_table(others), but=seat)
        mine = self._seat == seat
        reach = self._reach(policy, but=mine)
        value = self._returns[:, seat].copy()
        answer = np.zeros_like(policy)
        for level in reversed(self._levels):
            own = (level.information_set >= 0) & mine[level.information_set]
            rows, moves = level.information_set[own], level.move[own]
            if len(rows):
                gain, mass = np.zeros_like(policy), np.zeros_like(policy)
                weight = reach[level.parent[own]]
                np.add.at(gain, (rows, moves), weight * value[level.child[own]])
                np.add.at(mass, (rows, moves), weight)
                met = np.unique(rows)
                q = np.divide(gain, mass, out=np.zeros_like(gain), where=mass > 0)
                answer[met] = choose(q[met], self._legal[met])
            played = np.where(mine[:, None], answer, policy)
            weight = self._edge_probability(level, played)
            np.add.at(value, level.parent, weight * value[level.child])
        return Response(float(value[0]), self._table(answer, only=mine))

    def nash_conv(self, policy: Policy) -> float:
        """The sum over seats of what each could gain by switching to a best response; points.

        At least 0, and 0 exactly at a Nash equilibrium.
        """
        table = self._as_table(policy)
        on_policy = self.returns(table)
        gains = [
            self.best_response(table, seat).value - on_policy[seat]
            for seat in range(self.game.seats)
        ]
        return float(sum(gains))

    def exploitability(self, policy: Policy) -> float:
        """NashConv over the number of seats, in points per episode."""
        return self.nash_conv(policy) / self.game.seats

    def exploitability_interval(self, policy: Policy) -> Certified:
        """Exploitability, and how far the uncovered probability could move it.

        If in each situation the policy does something unknown with probability m, then the whole
        episode differs with at most the probability that any such slip happens, and no seat's
        best-response value moves by more than that times the range of payoffs. The on-policy values
        move likewise, except where payoffs sum to a constant and so does what they add up to.
        """
        table = self._as_table(policy)
        value = self.exploitability(table)
        slip = np.array([table.uncovered.get(name, 0.0) for name in self.situations])
        if not slip.any():
            return Certified(value, value, value, "exact")
        totals = self._returns[self._ends].sum(1)
        on_policy = 0.0 if np.ptp(totals) == 0 else self._most_slip(slip, self._seat >= 0)
        moved = 0.0
        for seat in range(self.game.seats):
            span = float(np.ptp(self._returns[self._ends, seat]))
            moved += span * min(1.0, self._most_slip(slip, self._seat != seat))
            moved += span * min(1.0, on_policy)
        return covered(value, moved / self.game.seats, float(slip.max()))

    def average(self, tables: Sequence[ActionTable], weights: Sequence[float]) -> ActionTable:
        """The behaviour of a player who draws one of ``tables`` by weight before each episode.

        Situations are averaged by each table's own reach of them (Kuhn's theorem), as fictitious
        play needs; where no table reaches, plainly.
        """
        shares = np.asarray(weights, dtype=float) / np.sum(weights)
        total = np.zeros(self._legal.shape)
        plain = np.zeros(self._legal.shape)
        for table, share in zip(tables, shares, strict=True):
            policy = self._array(table)
            reach = np.zeros(len(self.situations))
            for seat in range(self.game.seats):
                own = self._seat == seat
                arrived = self._reach(policy, but=~own, chance=False)
                for level in self._levels:
                    here = (level.information_set >= 0) & own[level.information_set]
                    reach[level.information_set[here]] = arrived[level.parent[here]]
            total += share * reach[:, None] * policy
            plain += share * policy
        mass = total.sum(1, keepdims=True)
        return self._table(np.where(mass > 0, total / np.where(mass > 0, mass, 1), plain))

    def _reach(self, policy: Floats, *, but: NDArray[np.bool_], chance: bool = True) -> Floats:
        """Probability of each node, ``(nodes,)``, counting 1 for moves at the sets in ``but``."""
        reach = np.ones(len(self._returns))
        counted = np.where(but[:, None], 1.0, policy)
        for level in self._levels:
            weight = self._edge_probability(level, counted, chance=chance)
            reach[level.child] = reach[level.parent] * weight
        return reach

    def _edge_probability(self, level: Level, policy: Floats, *, chance: bool = True) -> Floats:
        decided = level.information_set >= 0
        nature = level.chance if chance else np.ones_like(level.chance)
        return np.where(decided, policy[level.information_set, level.move], nature)

    def _most_slip(self, slip: Floats, at: NDArray[np.bool_]) -> float:
        """The largest sum of ``slip`` along any history, over the situations in ``at``."""
        so_far = np.zeros(len(self._returns))
        counted = np.where(at, slip, 0.0)
        for level in self._levels:
            here = np.where(level.information_set >= 0, counted[level.information_set], 0.0)
            so_far[level.child] = so_far[level.parent] + here
        return float(so_far.max())

    def _joint(self, policies: Policy | Sequence[Policy]) -> Floats:
        if not isinstance(policies, Sequence):
            return self._array(self._as_table(policies))
        joint = np.zeros(self._legal.shape)
        for seat, policy in enumerate(policies):
            mine = self._seat == seat
            joint[mine] = self._array(self._as_table(policy), only=seat)[mine]
        return joint

    def _as_table(self, policy: Policy) -> ActionTable:
        return policy if isinstance(policy, ActionTable) else self.written_out(policy)

    def _array(
        self, table: ActionTable, *, but: int | None = None, only: int | None = None
    ) -> Floats:
        """``table`` as ``(situations, moves)``; rows of seat ``but`` (or not ``only``) stay 0."""
        listed: list[float] = []
        for seat, (situation, legal) in zip(self._seat, self._moves.items(), strict=True):
            skipped = seat == but or (only is not None and seat != only)
            listed += [0.0] * len(legal) if skipped else table.probabilities(situation, legal)
        policy = np.zeros(self._legal.shape)
        policy[self._legal] = listed
        return policy

    def _table(self, policy: Floats, *, only: NDArray[np.bool_] | None = None) -> ActionTable:
        return ActionTable(
            {
                situation: {
                    move: float(policy[row, number])
                    for number, move in enumerate(self.game.moves)
                    if self._legal[row, number]
                }
                for row, situation in enumerate(self.situations)
                if only is None or only[row]
            }
        )


def _highest(values: Floats, legal: NDArray[np.bool_]) -> Floats:
    masked = np.where(legal, values, -np.inf)
    chosen = np.zeros_like(values)
    chosen[np.arange(len(values)), masked.argmax(1)] = 1.0
    return chosen


def _softmax(values: Floats, legal: NDArray[np.bool_]) -> Floats:
    masked = np.where(legal, values, -np.inf)
    weights = np.exp(masked - masked.max(1, keepdims=True))
    softmax: Floats = weights / weights.sum(1, keepdims=True)
    return softmax
