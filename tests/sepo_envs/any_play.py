"""Episodes of any game under any options, played anyhow, for laws that hold of all of them."""

from hypothesis import strategies as st

from sepo_envs.catalogue import domain
from sepo_envs.episode import begin
from sepo_envs.game import CHANCE, FORFEIT

OPTIONS = {
    "kuhn_poker": st.fixed_dictionaries({"hands": st.integers(1, 4)}),
    "prisoners_dilemma": st.fixed_dictionaries(
        {
            "rounds": st.integers(1, 4),
            "noise": st.sampled_from([0.0, 0.1, 0.5]),
            "continuation": st.sampled_from([1.0, 0.5]),
            "punishment": st.sampled_from([1.0, 0.5]),
        }
    ),
    "repeated_auction": st.fixed_dictionaries(
        {
            "rounds": st.integers(1, 3),
            "bidders": st.integers(2, 4),
            "values": st.sampled_from([(2, 4), (3,), (1, 5, 9)]),
            "bids": st.sampled_from([(1, 2, 3), (0, 7), (2, 4)]),
            "floor_losses": st.booleans(),
        }
    ).filter(lambda options: options["bids"][0] < options["values"][-1]),
    "split_negotiation": st.fixed_dictionaries(
        {"rounds": st.integers(1, 4), "pie": st.integers(2, 12)}
    ),
    "item_negotiation": st.fixed_dictionaries(
        {
            "rounds": st.integers(1, 3),
            "worth": st.sampled_from(["table", "one of each"]),
            "redrawn": st.sampled_from([(), (0,), (1,), (0, 1)]),
        }
    ),
}


def choices(episode):
    """What may happen next, a FORFEIT included."""
    if episode.actor == CHANCE:
        return [outcome for outcome, _ in episode.game.chance_outcomes(episode.state)]
    return [*episode.game.legal_moves(episode.state, episode.actor), FORFEIT]


def played(data, name, finished=True):
    """An episode under any options, played anyhow; cut anywhere if it need not be finished."""
    episode = begin(domain(name).make(**data.draw(OPTIONS[name])))
    stop = 999 if finished else data.draw(st.integers(0, 24))
    while episode.actor is not None and len(episode.entries) < stop:
        episode = episode.play(data.draw(st.sampled_from(choices(episode))))
    return episode
