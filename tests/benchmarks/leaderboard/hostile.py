"""Records whose every free text is an attack."""

from __future__ import annotations

from typing import Any

from benchmarks.leaderboard.records import AgentRecord

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"></title></style>&lt;b&gt;"
FIXED = {
    *("schema_version", "name", "kind", "fingerprint", "over", "replays", "record"),
    *("commit", "source", "date", "profile"),
}
"""Fields that are checked when a record is read, or played again."""


def poisoned(record: AgentRecord, said: str = ATTACK) -> AgentRecord:
    """The record with ``said`` in every text that its writer chooses, and in what was said."""
    tree = _poisoned(record.model_dump(mode="json"), said)
    for name, score in tree["domains"].items():
        score["notes"] = [said]
        score["left_out"] = {said: said}
        score["stands_in"] = [said]
        score["moves"] = {said: {"n": 4, said: 1.0}}
        score["safety"] = said
        score["competency"] = said
        score["exploitability"] = {
            **{"value": 1.0, "low": 0.5, "high": 1.5},
            **{"kind": "lower bound", "how": said},
        }
        for replay in score["worst"]:
            replay["said"] = {"0": [("user", said), (said, said * 100)]}
        assert name in record.domains
    tree["not_played"] = {said: said}
    return AgentRecord.model_validate(tree)


def _poisoned(tree: Any, said: str) -> Any:
    match tree:
        case dict():
            return {
                key: value if key in FIXED else _poisoned(value, said)
                for key, value in tree.items()
            }
        case list():
            return [_poisoned(value, said) for value in tree]
        case str():
            return said + tree
    return tree
