"""Pages that would rot if they were written by hand: made anew whenever the site is built.

MkDocs runs the two hooks below. What they make is never written into the source tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environment_page
from docstrings import NAME
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
PACKAGES = ("sepo_envs", "opponents", "sepo_trainer")
SENTENCE = re.compile(r".*?[.:?](?= [A-Z`]|$)")
REFERENCE = "---\ntitle: {0}\nsearch: {{ boost: 0.5 }}\n---\n\n::: {0}\n"
FOLDER = re.compile(r"\[([^\]]*)\]\((?!https?:)[\w/]+\)")
"""A link to a folder of the repository, which a site has no page for."""
TO_DOCS = re.compile(rb'(href="(?:\.\./)+)docs/([\w/-]+)\.md')
"""A link of a page that a benchmark wrote to one of docs/, which is another file in a site."""


def on_config(config: MkDocsConfig) -> None:
    """Fill the parts of the navigation that follow from the code."""
    made: dict[str, list[Any]] = {
        "Environments": [environment_page.uri(name) for name in environment_page.documented()],
        "Decisions": ["decisions/index.md", *map(_uri, _decisions())],
        "API reference": [_shelf(package) for package in PACKAGES],
    }
    _fill(config.nav or [], made)


def _fill(nav: list[Any], made: dict[str, list[Any]]) -> None:
    for entry in nav:
        for title, pages in entry.items() if isinstance(entry, dict) else ():
            if isinstance(pages, list):
                _fill(pages, made)
                pages += made.get(title, [])


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that are made from code, records and files beside docs/."""
    for uri, content in made():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Names of modules in backticks lead to the reference."""
    known = set(modules()) - set(PACKAGES)
    return NAME.sub(
        lambda found: f"[`{found[1]}`][{found[1]}]" if found[1] in known else found[0], markdown
    )


def made() -> Iterator[tuple[str, str | bytes]]:
    """Every page and picture that is made, as (its place in the site's sources, what it holds)."""
    yield "environments/index.md", environment_page.overview()
    for name in environment_page.documented():
        yield environment_page.uri(name), environment_page.page(name)
        yield environment_page.picture_uri(name), environment_page.picture(name)
    for module in modules():
        yield reference_uri(module), REFERENCE.format(module)
    yield "decisions/index.md", decisions()
    yield "changelog.md", (ROOT / "CHANGELOG.md").read_text()
    yield "contributing.md", from_root((ROOT / "CONTRIBUTING.md").read_text())
    yield "benchmarks/index.md", from_root((ROOT / "benchmarks/README.md").read_text())
    for file in sorted((ROOT / "benchmarks/results").rglob("*.*")):
        content = file.read_bytes()
        if file.suffix == ".html":
            content = TO_DOCS.sub(rb"\1\2.html", content)
        yield file.relative_to(ROOT).as_posix(), content


def modules() -> list[str]:
    """Every public module, a package before what it holds."""
    names = []
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py"), key=_reading_order):
            *folders, name = file.relative_to(ROOT).with_suffix("").parts
            if name == "__init__":
                names.append(".".join(folders))
            elif not name.startswith("_"):
                names.append(".".join([*folders, name]))
    return names


def _reading_order(file: Path) -> tuple[str, ...]:
    return tuple("" if part == "__init__.py" else part for part in file.parts)


def reference_uri(module: str) -> str:
    """
    >>> reference_uri("sepo_envs.exact.tree"), reference_uri("opponents")
    ('reference/sepo_envs/exact/tree.md', 'reference/opponents/index.md')
    """
    place = f"reference/{module.replace('.', '/')}"
    is_package = (ROOT / module.replace(".", "/")).is_dir()
    return f"{place}/index.md" if is_package else f"{place}.md"


def _shelf(package: str) -> dict[str, list[Any]]:
    """The navigation of ``package``: its own page, its modules, then the packages inside it."""
    inside = [name for name in modules() if name.rpartition(".")[0] == package]
    uris = {name: reference_uri(name) for name in inside}
    pages = [{_last(name): uri} for name, uri in uris.items() if not uri.endswith("index.md")]
    packages = [_shelf(name) for name, uri in uris.items() if uri.endswith("index.md")]
    return {_last(package): [reference_uri(package), *pages, *packages]}


def _last(module: str) -> str:
    return module.rpartition(".")[2]


def decisions() -> str:
    """The list of decisions, each with its first sentence."""
    lines = ["# Decisions", "", "Choices that may surprise, each on half a page.", ""]
    for file in _decisions():
        title, _, text = file.read_text().partition("\n")
        paragraph = " ".join(text.strip().partition("\n\n")[0].split())
        sentence = SENTENCE.match(re.sub(r"^\*\*\w+\.\*\* *", "", paragraph))
        assert sentence, f"{file} begins with no sentence"
        lines += [f"## [{title.lstrip('# ')}]({file.name})", "", sentence[0], ""]
    return "\n".join(lines)


def _decisions() -> list[Path]:
    return sorted((ROOT / "docs/decisions").glob("*.md"))


def _uri(page: Path) -> str:
    return page.relative_to(ROOT / "docs").as_posix()


def from_root(text: str) -> str:
    """A page that stands outside docs/, with its links as they are inside; folders lose theirs.

    >>> from_root("[docs](docs/metrics.md), [results](benchmarks/README.md), [files](results)")
    '[docs](metrics.md), [results](benchmarks/index.md), files'
    >>> from_root("[from a folder](../docs/metrics.md)")
    '[from a folder](../metrics.md)'
    """
    text = text.replace("](docs/", "](").replace("](../docs/", "](../")
    return FOLDER.sub(r"\1", text.replace("](benchmarks/README.md", "](benchmarks/index.md"))
