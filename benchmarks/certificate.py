"""How a number came about: which code, which machine, which versions, when, and at what cost."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

ROOT = Path(__file__).parent.parent
CODE = ("sepo_envs", "opponents", "sepo_trainer")
"""The packages that a training run's numbers depend on."""
VERSIONS_OF = ("numpy", "torch", "transformers", "tokenizers", "scipy")
CLEAN = (*CODE, "benchmarks", "pyproject.toml", "constraints.txt")
NOT_CODE = (":(exclude)benchmarks/results", ":(exclude)benchmarks/README.md")

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
NotNegative = Annotated[float, Field(ge=0)]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Hardware(Strict):
    cpu: str
    cores: Annotated[int, Field(ge=1)]
    """That this process may use."""
    memory_gib: NotNegative
    device: str
    """That the model ran on."""


class Certificate(Strict):
    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40,64}|unknown)$")]
    """`unknown` without git."""
    dirty: bool | None
    """Whether code differed from the commit; None where the commit is unknown."""
    source: Digest
    """Of the code itself, which tells two dirty checkouts apart."""
    hardware: Hardware
    versions: dict[str, str]
    threads: Annotated[int, Field(ge=1)]
    """Of torch, in each process."""
    jobs: Annotated[int, Field(ge=1)]
    """Processes that ran at once; above 1 they slow each other down."""
    date: AwareDatetime
    wall_seconds: NotNegative | None
    """Of all processes, summed; None where one was killed with its study, and so not measured."""
    peak_memory_mib: NotNegative | None
    """Of the largest process."""
    command: str
    """Reproduces the record, from the root of the checkout."""


def certify(
    *,
    command: str,
    threads: int,
    jobs: int = 1,
    wall_seconds: float | None,
    peak_memory_mib: float | None,
) -> Certificate:
    """The certificate of what was just measured with the code as it stands."""
    commit, dirty = commit_of(ROOT)
    return Certificate(
        commit=commit,
        dirty=dirty,
        source=source_digest(),
        hardware=hardware(),
        versions=versions(),
        threads=threads,
        jobs=jobs,
        date=datetime.now(UTC).replace(microsecond=0),
        wall_seconds=_rounded(wall_seconds),
        peak_memory_mib=_rounded(peak_memory_mib),
        command=command,
    )


def commit_of(root: Path) -> tuple[str, bool | None]:
    """The commit checked out at ``root``, and whether its code was changed since."""
    try:
        # The checkout itself, and no repository that happens to lie around it.
        top = _git(root, "rev-parse", "--show-toplevel")
        if Path(top).resolve() != root.resolve():
            return "unknown", None
        commit = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", "--porcelain", "--", *CLEAN, *NOT_CODE)
    except (OSError, subprocess.CalledProcessError):
        return "unknown", None
    return commit, bool(changes)


def source_digest(root: Path = ROOT, *, packages: Sequence[str] = CODE) -> str:
    """A digest of every Python file of ``packages``; of `CODE`: equal digests, equal training
    runs."""
    digest = sha256()
    for package in packages:
        for file in sorted((root / package).rglob("*.py")):
            digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
            digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@cache
def hardware() -> Hardware:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return Hardware(
        cpu=_cpu_model(), cores=cores, memory_gib=round(pages * size / 2**30, 1), device="cpu"
    )


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "sepo": _sepo_version()}
    return found | {name: _version(name) for name in VERSIONS_OF}


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def _sepo_version() -> str:
    """Of the checkout, which need not be what is installed."""
    import tomllib

    try:
        return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return _version("sepo")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
