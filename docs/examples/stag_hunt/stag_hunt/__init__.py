"""The stag hunt, a game of another package than SEPO's."""

from __future__ import annotations

from sepo_envs import CATALOGUE, Domain
from sepo_envs.registration import register
from stag_hunt.harms import StagHuntHarms
from stag_hunt.picture import StagHuntPicture
from stag_hunt.rules import StagHunt
from stag_hunt.words import StagHuntWords

STAG_HUNT = Domain(
    name="stag_hunt",
    title="StagHunt",
    version=0,
    make=StagHunt,
    words=StagHuntWords,
    harms=StagHuntHarms(),
    picture=StagHuntPicture,
    zero_sum=False,
    simultaneous=True,
)

CATALOGUE[STAG_HUNT.name] = STAG_HUNT
register()
