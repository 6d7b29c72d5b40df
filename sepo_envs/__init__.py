"""Strategic games with exact measures: rules, words and harms, and their environments.

`make` makes any of them, and importing the package registers each with Gymnasium and PettingZoo:

>>> import pettingzoo
>>> table = make("kuhn_poker", hands=6)
>>> table = pettingzoo.make("aec", "sepo/kuhn_poker-v0", hands=6)

`Board` plays thousands of episodes at once between policies that can be asked for probabilities.
"""

from sepo_envs.batch import Board
from sepo_envs.catalogue import CATALOGUE, Domain, domain
from sepo_envs.episode import Episode, begin, dumps, restore
from sepo_envs.hooks import AECPenaltyReward, PenaltyHook, PenaltyReward
from sepo_envs.registration import list_envs, make, register

__all__ = [
    "CATALOGUE",
    "AECPenaltyReward",
    "Board",
    "Domain",
    "Episode",
    "PenaltyHook",
    "PenaltyReward",
    "begin",
    "domain",
    "dumps",
    "list_envs",
    "make",
    "restore",
]

register()
