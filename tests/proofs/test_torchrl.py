"""TorchRL's PettingZoo wrapper and its spec check, on every structured id in both APIs."""

from __future__ import annotations

import pettingzoo
import pytest
import torch
from torchrl.envs.libs.pettingzoo import PettingZooWrapper
from torchrl.envs.utils import check_env_specs

from sepo_envs import CATALOGUE
from sepo_envs.registration import pettingzoo_ids

AEC = [("aec", pettingzoo_ids(domain)[0]) for domain in CATALOGUE.values()]
PARALLEL = [
    ("parallel", pettingzoo_ids(domain)[0]) for domain in CATALOGUE.values() if domain.simultaneous
]

pytestmark = pytest.mark.filterwarnings(
    # It says so of every PettingZoo but 1.24.3.
    "ignore:PettingZoo in TorchRL is tested using version:UserWarning"
)


def wrapped(api, env_id, **options):
    return PettingZooWrapper(
        pettingzoo.make(api, env_id, **options), use_mask=True, return_state=True, seed=0
    )


@pytest.mark.parametrize(("api", "env_id"), [*AEC, *PARALLEL])
def test_the_spec_check_of_torchrl_passes(api, env_id):
    """It draws three actions in a row and does not ask whether the episode is over, as a single
    hand of poker may be."""
    check_env_specs(wrapped(api, env_id, **({"hands": 6} if "kuhn" in env_id else {})))


@pytest.mark.parametrize(("api", "env_id"), [*AEC, *PARALLEL])
def test_a_random_rollout_ends_with_the_points_of_our_episode(api, env_id):
    """Its random policy draws by our masks, so that no move is a foul."""
    table = wrapped(api, env_id)
    torch.manual_seed(0)
    rollout = table.rollout(200)
    assert rollout["next", "done"][-1].all()
    episode = table.unwrapped.episode if api == "parallel" else table._env.unwrapped.episode
    groups = ["player"] if api == "parallel" else ["player_0", "player_1"]
    paid = torch.cat([rollout["next", group, "reward"].sum(0).flatten() for group in groups])
    assert paid.tolist() == pytest.approx(list(episode.returns))
    assert episode.actor is None
    assert episode.fouls == (0, 0)


def test_torchrl_still_takes_no_text():
    """It makes a tensor of every info, and ours hold the prompt. Should this fail, it has learned
    to: check the text ids too."""
    with pytest.raises(TypeError, match="invalid data type 'str'"):
        wrapped("aec", "sepo/kuhn_poker_text-v0")
