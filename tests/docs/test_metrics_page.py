"""What docs/metrics.md prints of weights is published; its worked examples run as code blocks."""

import re
from pathlib import Path

from sepo_envs import CATALOGUE, metrics

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text()


def test_every_domains_weights_are_the_published_ones():
    rows = re.findall(
        r"^\| ([\w' ]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.M
    )
    printed = {name.lower(): tuple(map(float, weights)) for name, *weights in rows}
    published = {
        name.replace("_", " ").replace("prisoners", "prisoner's"): (
            found.scale,
            found.exploitability,
            found.collusion,
            found.externality,
        )
        for name, entry in CATALOGUE.items()
        for found in [entry.harms.published]
    }
    assert printed == published


def test_every_domain_has_a_row_for_collusion_and_for_externality():
    assert PAGE.count("\n| Kuhn poker | not defined") == 2
    assert PAGE.count("\n| Prisoner's dilemma | ") == 3


def test_every_measure_that_the_code_offers_is_on_the_page():
    offered = {
        name
        for name, value in vars(metrics).items()
        if callable(value)
        and getattr(value, "__module__", "") == metrics.__name__
        and name.islower()
    }
    inner = {"advantage_terms", "ratio"}
    assert not {name for name in offered - inner if name not in PAGE}
