"""Strategic games with exact measures: rules, words and harms, and their environments.

Importing the package registers every environment with Gymnasium and PettingZoo:

>>> import pettingzoo
>>> table = pettingzoo.make("aec", "sepo/kuhn_poker-v0", hands=6)
"""

from sepo_envs.catalogue import CATALOGUE, Domain, domain
from sepo_envs.episode import Episode, begin, dumps, restore
from sepo_envs.hooks import AECPenaltyReward, PenaltyHook, PenaltyReward
from sepo_envs.registration import list_envs, register

__all__ = [
    "CATALOGUE",
    "AECPenaltyReward",
    "Domain",
    "Episode",
    "PenaltyHook",
    "PenaltyReward",
    "begin",
    "domain",
    "dumps",
    "list_envs",
    "restore",
]

register()
