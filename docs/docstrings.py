"""Docstrings as the API reference shows them: doctests as code, names in backticks as links."""

from __future__ import annotations

import re
from typing import Any

import griffe

OURS = ("sepo_envs", "opponents", "sepo_trainer")

LONGEST_VALUE = 200
"""Characters of a constant's value; a longer one is read better in the source."""
NAME = re.compile(r"(?<![`\[\w])`([A-Za-z_][\w.]*)`(?![`\]\w])")
PROMPT = re.compile(r"^ *>>> ")
DIRECTIVE = re.compile(r" *# doctest: \+\w+.*$")


class ReadableDocstrings(griffe.Extension):
    """Runs once a package is read, before its docstrings are."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        for part in _parts(pkg):
            if part.is_attribute and len(str(part.value)) > LONGEST_VALUE:
                part.value = None
            if part.docstring:
                part.docstring.value = linked(fenced(part.docstring.value), part)


def _parts(whole: Any) -> list[Any]:
    mine = [member for member in whole.members.values() if not member.is_alias]
    return [whole, *(part for member in mine for part in _parts(member))]


def fenced(text: str) -> str:
    """Doctests as fenced blocks; bare, Markdown would take ``>>>`` for three quotations."""
    lines: list[str] = []
    fence = ""
    for line in [*text.splitlines(), ""]:
        if not fence and PROMPT.match(line):
            indent = " " * (len(line) - len(line.lstrip()))
            fence = f"{indent}```"
            if lines and lines[-1].strip():
                lines.append("")
            lines.append(f"{fence}pycon")
        elif fence and not line.strip():
            lines.append(fence)
            fence = ""
        lines.append(DIRECTIVE.sub("", line) if fence else line)
    return "\n".join(lines).rstrip()


def linked(text: str, where: Any) -> str:
    """Names of ours that stand in single backticks as links to where they are defined."""
    in_code = False
    lines = []
    for line in text.splitlines():
        in_code ^= line.lstrip().startswith("```")
        quoted = in_code or line.startswith("    ")
        lines.append(line if quoted else NAME.sub(lambda found: _link(found[1], where), line))
    return "\n".join(lines)


def _link(name: str, where: Any) -> str:
    path = _target(name, where)
    return f"[`{name}`][{path}]" if path else f"`{name}`"


def _target(name: str, where: Any) -> str | None:
    """The full path of what ``name`` means at ``where``, if the reference has an entry for it.

    A whole package has none of its own name: headings are called so too.
    """
    root = where.package
    if name.partition(".")[0] in OURS:
        path = name
    else:
        try:
            path = where.resolve(name)
        except griffe.NameResolutionError:
            return None
    package, _, rest = path.partition(".")
    if package != root.name or not rest or any(part.startswith("_") for part in path.split(".")):
        return None
    try:
        found = root[rest]
        return str(found.final_target.path if found.is_alias else found.path)
    except (KeyError, griffe.AliasResolutionError, griffe.CyclicAliasError):
        return None
