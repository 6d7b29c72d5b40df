"""Shows any of our games to OpenSpiel, so that its algorithms run on it.

An `Episode` already serialises simultaneous turns with the waiting moves hidden, so every game is a
turn-based OpenSpiel game with explicit chance. An action's number is the move's index in
``game.moves``; a chance action's number is the outcome's index in ``game.chance_outcomes``. Tables
cross over in both directions: OpenSpiel keys a policy by infostate, we by situation.

The only file that imports OpenSpiel; `sepo_envs.exact.equilibria` takes it from here.

>>> from open_spiel.python.algorithms import exploitability
>>> from sepo_envs.exact.tree import GameTree
>>> from sepo_envs.games.kuhn_poker.rules import KuhnPoker
>>> kuhn = OpenSpielGame(KuhnPoker())
>>> policy = tabular_policy(kuhn, GameTree(KuhnPoker()).uniform())
>>> round(float(exploitability.exploitability(kuhn, policy)), 4)
0.4583
"""

from __future__ import annotations

from typing import Any

from sepo_envs.episode import Episode, begin
from sepo_envs.exact.action_table import ROUNDING, ActionTable
from sepo_envs.game import CHANCE, Game, Move

try:
    import pyspiel
    from open_spiel.python.policy import TabularPolicy
except ImportError as error:
    raise ImportError(
        "showing a game to OpenSpiel needs the package open_spiel, which is not installed. "
        'Install it with: pip install "sepo[exact]"'
    ) from error

__all__ = ["OpenSpielGame", "OpenSpielState", "action_table", "pyspiel", "tabular_policy"]


class OpenSpielGame(pyspiel.Game):  # type: ignore[misc]  # pyspiel has no types
    """``game`` as OpenSpiel sees it. Its bounds are found by walking every history once.

    Args:
        game: any rulebook.
        most_nodes: refuse a game with more histories than this.

    Raises:
        ValueError: the game is too large to walk.
    """

    def __init__(self, game: Game, *, most_nodes: int = 1_000_000) -> None:
        self.game = game
        measured = _measure(game, most_nodes)
        utility, chance = pyspiel.GameType.Utility, pyspiel.GameType.ChanceMode
        by_sum = {0.0: utility.ZERO_SUM, None: utility.GENERAL_SUM}
        kind = pyspiel.GameType(
            short_name=f"sepo_{game.name}",
            long_name=f"SEPO {game.name}",
            dynamics=pyspiel.GameType.Dynamics.SEQUENTIAL,
            chance_mode=(
                chance.EXPLICIT_STOCHASTIC
                if measured["max_chance_outcomes"]
                else chance.DETERMINISTIC
            ),
            information=pyspiel.GameType.Information.IMPERFECT_INFORMATION,
            utility=by_sum.get(measured["utility_sum"], utility.CONSTANT_SUM),
            reward_model=pyspiel.GameType.RewardModel.TERMINAL,
            max_num_players=game.seats,
            min_num_players=game.seats,
            provides_information_state_string=True,
            provides_information_state_tensor=False,
            provides_observation_string=False,
            provides_observation_tensor=False,
        )
        information = pyspiel.GameInfo(
            num_distinct_actions=len(game.moves), num_players=game.seats, **measured
        )
        super().__init__(kind, information, {})

    def new_initial_state(self) -> OpenSpielState:
        return OpenSpielState(self)

    def make_py_observer(self, iig_obs_type: Any = None, params: Any = None) -> _Observer:
        return _Observer()


class OpenSpielState(pyspiel.State):  # type: ignore[misc]
    """A history of the game: an `Episode` behind OpenSpiel's method names."""

    def __init__(self, game: OpenSpielGame) -> None:
        super().__init__(game)
        self._held = _Held(begin(game.game))

    @property
    def episode(self) -> Episode:
        return self._held.episode

    def current_player(self) -> int:
        actor = self.episode.actor
        if actor is None:
            return int(pyspiel.PlayerId.TERMINAL)
        return int(pyspiel.PlayerId.CHANCE) if actor == CHANCE else actor

    def chance_outcomes(self) -> list[tuple[int, float]]:
        outcomes = self.episode.game.chance_outcomes(self.episode.state)
        return [(number, probability) for number, (_, probability) in enumerate(outcomes)]

    def is_terminal(self) -> bool:
        return self.episode.actor is None

    def returns(self) -> list[float]:
        return list(self.episode.returns)

    def _legal_actions(self, player: int) -> list[int]:
        game = self.episode.game
        return sorted(map(game.moves.index, game.legal_moves(self.episode.state, player)))

    def _apply_action(self, action: int) -> None:
        self._held = _Held(self.episode.play(self._move(action)))

    def _action_to_string(self, player: int, action: int) -> str:
        return str(self._move(action))

    def _move(self, action: int) -> Move:
        game = self.episode.game
        if self.episode.actor == CHANCE:
            return game.chance_outcomes(self.episode.state)[action][0]
        return game.moves[action]

    def __str__(self) -> str:
        return " ".join(str(entry.move) for entry in self.episode.entries)


class _Observer:
    """Where OpenSpiel's C++ side asks what a seat has seen; it gets the infostate, no tensor."""

    tensor = None

    def set_from(self, state: OpenSpielState, player: int) -> None:
        """There is no tensor to fill."""

    def string_from(self, state: OpenSpielState, player: int) -> str:
        return state.episode.game.observe(state.episode.state, player).infostate


class _Held:
    """An episode is a value, so the deep copy that OpenSpiel takes of a state may share it."""

    __slots__ = ("episode",)

    def __init__(self, episode: Episode) -> None:
        self.episode = episode

    def __deepcopy__(self, memo: dict[int, Any]) -> _Held:
        return self


def tabular_policy(shown: OpenSpielGame, table: ActionTable) -> TabularPolicy:
    """``table`` as OpenSpiel's policy: every infostate plays the row of its situation.

    Raises:
        ValueError: the table lacks a situation of the game, or plays an illegal move there.
    """
    policy = TabularPolicy(shown)
    for infostate, row in policy.state_lookup.items():
        state = policy.states[row]
        actions = state.legal_actions()
        legal = [shown.game.moves[action] for action in actions]
        policy.policy_for_key(infostate)[actions] = table.probabilities(_situation(state), legal)
    return policy


def action_table(shown: OpenSpielGame, policy: Any) -> ActionTable:
    """Any policy that answers ``action_probabilities(state)``, Python's or C++'s, as our table.

    Raises:
        ValueError: the policy plays one situation in two ways, so that no table can hold it.
    """
    rows: dict[str, dict[Move, float]] = {}
    for state in TabularPolicy(shown).states:
        situation = _situation(state)
        chosen = policy.action_probabilities(state)
        row = {shown.game.moves[a]: float(chosen.get(a, 0.0)) for a in state.legal_actions()}
        known = rows.setdefault(situation, row)
        if any(abs(known[move] - probability) > ROUNDING for move, probability in row.items()):
            raise ValueError(
                f"the policy plays situation {situation!r} of {shown.game.name} in two ways, "
                f"{known} and {row}, depending on earlier rounds. Solve a single hand or round."
            )
    return ActionTable(rows)


def _situation(state: OpenSpielState) -> str:
    return state.episode.game.observe(state.episode.state, state.current_player()).situation


def _measure(game: Game, most_nodes: int) -> dict[str, Any]:
    """The bounds that OpenSpiel's GameInfo asks for."""
    returns: list[tuple[float, ...]] = []
    longest = most_chance = nodes = 0
    waiting = [begin(game)]
    while waiting:
        episode = waiting.pop()
        nodes += 1
        if nodes > most_nodes:
            raise ValueError(
                f"{game.name} has more than {most_nodes:,} histories. "
                "Show OpenSpiel a shorter horizon, or raise most_nodes if time allows."
            )
        if episode.actor is None:
            returns.append(episode.returns)
            longest = max(longest, sum(actor != CHANCE for actor, _ in episode.entries))
        elif episode.actor == CHANCE:
            outcomes = game.chance_outcomes(episode.state)
            most_chance = max(most_chance, len(outcomes))
            waiting += [episode.play(outcome) for outcome, _ in outcomes]
        else:
            moves = game.legal_moves(episode.state, episode.actor)
            waiting += [episode.play(move) for move in moves]
    totals = {round(sum(points), 9) for points in returns}
    return {
        "max_chance_outcomes": most_chance,
        "min_utility": min(map(min, returns)),
        "max_utility": max(map(max, returns)),
        "utility_sum": totals.pop() if len(totals) == 1 else None,
        "max_game_length": longest,
    }
