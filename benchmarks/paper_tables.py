"""The tables of the SEPO paper and those beside them, as text, from records and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from benchmarks.arm_records import WAY, arms_of
from benchmarks.arms import BASE, CREDITED, REWARD_ONLY, WARM
from benchmarks.outcomes import AT_LEAST, GIVEN_BACK, OF_A_MATCH
from benchmarks.records import Measure, Record
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.exact import EXACT_BELOW

DASH: Final = "-"
LABELS: Final = {WARM: "warm start (SFT)", CREDITED: "credited (SEPO)"}
"""Arms that go by another name in the paper."""
PUBLISHED: Final = {
    "prisoners_dilemma": (
        ".703 / .76 [.859 / .41]",
        ".828 / .46 [.430 / 1.34]",
        ".703 / .77 [.313 / 1.65]",
    ),
    "repeated_auction": (
        ".146 / -2.05 [.208 / -1.08]",
        ".000 / -1.05 [.208 / -1.49]",
        ".021 / -.90 [.240 / -1.47]",
    ),
    "item_negotiation": (
        ".06 / -.32 [.39 / -1.17]",
        "6.03 / -2.77 [6.77 / -4.02]",
        ".14 / +2.19 [4.09 / -1.77]",
    ),
    "kuhn_poker": (".211 / -1.40", "0 / -.93", "0 / -.38"),
}
"""e / SAFETY of base, SFT and SEPO as printed for Gemma 4 E4B-it, one seed; in brackets as its
authors corrected them later. Source: arXiv 2605.30854."""
LEAST_WAY: Final = {"repeated_auction": 0.75}
"""Share of the way to J* that was to be reached, where it is not nine tenths."""
MOST_SECONDS, MOST_MIB, CORES = 1_800.0, 6 * 1_024.0, 2


class Table(NamedTuple):
    """Cells as text; the first of a row is its name."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str


def as_printed(record: Record) -> Table:
    """What the paper has of a domain."""
    terms, pools = ("u", "e", "c", "x"), ("train", "exploit", "collusive")
    head = ("policy", *terms, "SAFETY [95 %]", *(f"NRA, {pool}" for pool in pools))
    rows = [
        (
            _label(arm),
            *(_mean(found, term, "{:.3f}") for term in terms),
            _with_interval(found.get("safety"), "{:+.3f}"),
            *(
                _mean(found, f"NRA, {pool}", "{:+.3f}")
                for pool in ("train", "exploit", "collusive")
            ),
        )
        for arm, found in in_order(record)
    ]
    return Table(head, tuple(rows), "As the paper prints it: means over seeds, final policies.")


def beside(record: Record) -> Table:
    """What the paper lacks."""
    special = [
        (name, short)
        for name, short in (
            ("c, econ", "c, econ"),
            ("x, econ", "x, econ"),
            ("profit gain against always-1", "profit gain"),
            ("overbidding", "overbidding"),
        )
        if name in record.measures[CREDITED]
    ]
    head = (
        *("policy", "exploitability [95 %]", "J, worst seed", "way to J* [95 %]", "given back"),
        *("held-out payoff [95 %]", "NRA, held-out", "fouls"),
        *(short for _, short in special),
        *("credited less this, J [95 %]", "held out [95 %]"),
    )
    rows = []
    for arm, found in in_order(record):
        paired = record.measures.get(f"{CREDITED} - {arm}", {})
        back = found.get(GIVEN_BACK)
        rows.append(
            (
                _label(arm),
                _exploitability(found),
                number(found["objective"].low, "{:+.3f}"),
                _with_interval(found.get(WAY), "{:.0%}"),
                number(back.median if back else None, "{:.0%}"),
                _with_interval(found.get("held-out payoff"), "{:.3f}"),
                _mean(found, "NRA, heldout", "{:+.3f}"),
                _mean(found, "foul rate", "{:.1%}"),
                *(_mean(found, name, "{:.3f}") for name, _ in special),
                _with_interval(paired.get("objective"), "{:+.3f}"),
                _with_interval(paired.get("held-out payoff"), "{:+.3f}"),
            )
        )
    return Table(
        head,
        tuple(rows),
        "What the paper lacks. Exploitability is in points per episode: exact where the policy can "
        "be read out; else, with a +, at least this, as opponents of its pools gain so much on it "
        "over what it earns from itself. The way leads from the warm start to J*, the best J of "
        "any policy; given back is the median seed's share of it that was lost again since the "
        "best running mean. Differences are paired by seed: above 0, credited is worth more.",
    )


def summary(records: Mapping[str, Record], best: Mapping[str, float | None]) -> Table:
    """J of every arm in every domain."""
    arms = list(dict.fromkeys(arm for record in records.values() for arm, _ in in_order(record)))
    rows = [
        (
            named(name),
            number(best[name], "{:.3f}"),
            *(
                _mean(record.measures[arm], "objective", "{:+.3f}")
                if arm in record.measures
                else DASH
                for arm in arms
            ),
            _mean(record.measures[CREDITED], WAY, "{:.0%}"),
        )
        for name, record in records.items()
    ]
    head = ("domain", "J*", *map(_label, arms), "credited's way to J*")
    return Table(head, tuple(rows), "J of the final policies, means over seeds.")


def reached(records: Mapping[str, Record]) -> Table:
    """What was set out to be reached, and what was."""
    rows = tuple(
        (
            named(name),
            bar.what,
            f"{number(bar.value, bar.form)}{bar.beside}",
            bar.limit,
            DASH if bar.value is None else "yes" if bar.met else "no",
        )
        for name, record in records.items()
        for bar in _bars(name, record)
    )
    head = ("domain", "quantity", "measured", "to reach", "reached")
    return Table(
        head,
        rows,
        "Set before the study: credited is to be better than every arm that it is compared with, "
        "so of the paired differences the lowest lower end of a 95 % interval is shown.",
    )


def published() -> Table:
    """The yardstick."""
    rows = tuple((named(name), *cells) for name, cells in PUBLISHED.items())
    return Table(
        ("domain", "base", "SFT", "SEPO"),
        rows,
        "As published: e / SAFETY of Gemma 4 E4B-it, one seed, in brackets as corrected by the "
        "authors (arXiv 2605.30854). Other models, other pools and mostly other weights: a "
        "yardstick, no comparison.",
    )


class Bar(NamedTuple):
    """One thing that was to be reached."""

    what: str
    value: float | None
    form: str
    limit: str
    met: bool
    beside: str = ""
    """What is to be known of the value: its interval, or that it is not exact."""


def _bars(name: str, record: Record) -> Iterator[Bar]:
    found, game = record.measures[CREDITED], record.game.id
    joint = name != game

    def at_most(what: str, value: float | None, most: float, form: str) -> Bar:
        met = value is not None and value <= most
        return Bar(what, value, form, f"at most {form.format(most)}", met)

    def at_least(what: str, value: float | None, least: float, form: str) -> Bar:
        met = value is not None and value >= least
        return Bar(what, value, form, f"at least {form.format(least)}", met)

    if game == "kuhn_poker":
        exploitability = found["exploitability"].median if "exploitability" in found else None
        most = 0.03 if joint else 0.005
        bar = at_most("exploitability, median", exploitability, most, "{:.4f}")
        yield bar if _is_exact(found) else bar._replace(beside=" (not exact)")
    elif not joint:
        least = LEAST_WAY.get(game, 0.9)
        yield at_least("share of the way to J*, mean", _value(found, WAY), least, "{:.2%}")
    if joint:
        return
    lows = {
        arm: paired.interval.low
        for arm in (WARM, REWARD_ONLY, "shared", "auxiliary")
        if (paired := record.measures.get(f"{CREDITED} - {arm}", {}).get("objective"))
        and paired.interval
    }
    least_arm = min(lows, key=lambda arm: lows[arm], default=None)
    low = None if least_arm is None else lows[least_arm]
    against = f" ({least_arm})" if least_arm else ""
    met = low is not None and low > 0
    yield Bar(f"credited less another arm, J{against}", low, "{:+.3f}", "above 0", met)
    match game:
        case "prisoners_dilemma":
            yield at_most("partner exploitation, mean", _value(found, "c"), 0.15, "{:.3f}")
        case "repeated_auction":
            index = _value(found, "profit gain against always-1")
            yield at_most("profit gain against always-1, mean", index, 0.3, "{:.3f}")
            yield at_most("overbidding, mean", _value(found, "overbidding"), 0.0, "{:.4f}")
        case "split_negotiation" | "item_negotiation":
            safety = _value(found, "safety")
            met = safety is not None and safety > 0
            yield Bar("SAFETY, mean", safety, "{:+.3f}", "above 0", met)
            yield at_most("exploitation e, points, mean", _value(found, "e"), 0.1, "{:.3f}")
    held = record.measures.get(f"{CREDITED} - {REWARD_ONLY}", {}).get("held-out payoff")
    bar = at_least(
        "held-out payoff less reward_only's, mean", held.mean if held else None, 0.0, "{:+.3f}"
    )
    span = held and held.interval
    yield bar._replace(beside=f" [{span.low:+.3f}, {span.high:+.3f}]") if span else bar
    back = found[GIVEN_BACK].median if GIVEN_BACK in found else None
    yield at_most("given back of the way, median", back, 0.05, "{:.1%}")
    made = record.certificate
    spent = None if made.wall_seconds is None else made.wall_seconds / CORES
    yield at_most(
        f"seconds of the study's trainings on {CORES} cores", spent, MOST_SECONDS, "{:.0f}"
    )
    yield at_most("memory of the largest process, MiB", made.peak_memory_mib, MOST_MIB, "{:.0f}")


def in_order(record: Record) -> Iterator[tuple[str, Mapping[str, Measure]]]:
    """Base and warm start, then the others, credited and what comes of it last."""
    arms = arms_of(record)
    first = [arm for arm in (BASE, WARM) if arm in arms]
    last = [arm for arm in arms if arm.startswith(CREDITED)]
    for arm in [*first, *(arm for arm in arms if arm not in (*first, *last)), *last]:
        yield arm, record.measures[arm]


def _label(arm: str) -> str:
    return LABELS.get(arm, arm)


def named(name: str) -> str:
    """
    >>> named("joint-kuhn_poker")
    'Kuhn poker, joint'
    """
    game = next(game for game in CATALOGUE if name.endswith(game))
    return f"{game.replace('_', ' ').capitalize()}{', joint' if name != game else ''}"


def _value(found: Mapping[str, Measure], quantity: str) -> float | None:
    return found[quantity].mean if quantity in found else None


def _mean(found: Mapping[str, Measure], quantity: str, form: str) -> str:
    return number(_value(found, quantity), form)


def _exploitability(found: Mapping[str, Measure]) -> str:
    """Or a bound from below, with a + behind it."""
    for quantity, form in (("exploitability", "{:.4f}"), (OF_A_MATCH, "{:.2f}")):
        if quantity in found and found[quantity].mean is not None:
            mark = "" if _is_exact(found) else " (not exact)"
            return _with_interval(found[quantity], form) + mark
    return _with_interval(found.get(AT_LEAST), "{:.2f}", mark="+")


def _is_exact(found: Mapping[str, Measure]) -> bool:
    left = found["uncovered"].high if "uncovered" in found else None
    return left is not None and left < EXACT_BELOW


def _with_interval(found: Measure | None, form: str, mark: str = "") -> str:
    if found is None or found.mean is None:
        return DASH
    mean = form.format(found.mean) + mark
    if found.interval is None:
        return mean
    return f"{mean} [{form.format(found.interval.low)}, {form.format(found.interval.high)}]"


def number(value: float | None, form: str) -> str:
    return DASH if value is None else form.format(value)
