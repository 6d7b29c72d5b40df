"""The site builds without a warning, needs nobody's server, and all its links lead somewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from sepo_envs import CATALOGUE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""Tags whose address a browser fetches by itself."""
BLOCKS = ("pre", "ul", "ol", "table", "div")


class Page(HTMLParser):
    """What a page fetches, where it leads, and the anchors it has."""

    def __init__(self, file):
        super().__init__()
        self.fetched, self.links, self.anchors = [], [], set()
        self.paragraphs, self.inside = [], False
        self.feed(file.read_text())

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag in FETCHED and found.get(FETCHED[tag]):
            self.fetched.append(found[FETCHED[tag]])
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag == "p":
            self.paragraphs.append("")
        self.inside = tag == "p" or (self.inside and tag not in BLOCKS)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}

    def handle_endtag(self, tag):
        self.inside &= tag != "p"

    def handle_data(self, data):
        if self.inside:
            self.paragraphs[-1] += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0, build.stderr
    assert "WARNING" not in build.stderr, build.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {file: Page(file) for file in sorted(site.rglob("*.html")) if file.name != "404.html"}


def test_every_environment_has_a_page_with_its_picture(site, pages):
    for name in CATALOGUE:
        page = pages[site / f"environments/{name}.html"]
        assert f"{name}.png" in page.fetched
        assert (site / f"environments/{name}.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_fetched_from_elsewhere(site, pages):
    addresses = {address for page in pages.values() for address in page.fetched}
    styles = "".join(file.read_text() for file in site.rglob("*.css"))
    addresses |= set(re.findall(r"(?:url\(|@import )[\"']?(.*?)[\"')]", styles))
    elsewhere = {
        a for a in addresses if urlsplit(a).netloc or urlsplit(a).scheme not in ("", "data")
    }
    assert not elsewhere


def test_every_link_inside_leads_to_a_page_and_an_anchor(pages):
    broken = []
    for file, page in pages.items():
        for link in (*page.links, *page.fetched):
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            anchors = pages[target].anchors if target in pages else set()
            if not target.exists() or (
                address.fragment and unquote(address.fragment) not in anchors
            ):
                broken.append(f"{file.name}: {link}")
    assert not broken


def test_no_list_and_no_table_is_left_as_a_paragraph(pages):
    """Where GitHub sees one without an empty line before it, the site does not."""
    left = [
        f"{file.name}: {text[:60]}"
        for file, page in pages.items()
        for text in page.paragraphs
        if re.search(r"^(- |\* |\d+\. |\| |#+ |>>> )|```", text, re.MULTILINE)
    ]
    assert not left
