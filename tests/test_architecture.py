"""The import arrows point one way: benchmarks -> sepo_trainer -> opponents -> sepo_envs.

Each law is a function from a checkout to its breaches, so that a planted breach can show it works.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("sepo_envs", "opponents", "sepo_trainer", "benchmarks")  # low to high

ADAPTERS = tuple(
    f"sepo_envs/{name}.py"
    for name in ("aec", "parallel", "single_agent", "vector", "text", "hooks", "registration")
)
"""The files that speak another project's API. `*` in a pattern crosses folders."""

ALLOWED_IN = {
    "gymnasium": (*ADAPTERS, "sepo_envs/*_v[0-9].py", "benchmarks/*"),
    "pettingzoo": (*ADAPTERS, "sepo_envs/*_v[0-9].py", "benchmarks/*"),
    "open_spiel": ("sepo_envs/exact/bridge.py", "sepo_envs/exact/equilibria.py", "benchmarks/*"),
    "pyspiel": ("sepo_envs/exact/bridge.py", "sepo_envs/exact/equilibria.py", "benchmarks/*"),
    "axelrod": ("opponents/*", "benchmarks/*"),
    "PIL": ("sepo_envs/pens.py",),
    "httpx": ("opponents/endpoint/client.py",),
    "torch": ("sepo_trainer/*", "benchmarks/*"),
    "torch.distributed": ("sepo_trainer/processes.py", "sepo_trainer/policy/split.py"),
    "transformers": ("sepo_trainer/*", "benchmarks/*"),
    "vllm": ("sepo_trainer/samplers/vllm.py",),
    "peft": ("sepo_trainer/policy/adapter.py",),
    "accelerate": ("sepo_trainer/runs/tracking.py",),
    "huggingface_hub": ("sepo_trainer/runs/hub.py",),
}
RULEBOOKS = (
    *(f"sepo_envs/games/*/{part}.py" for part in ("rules", "words", "harms")),
    *(f"sepo_envs/{name}.py" for name in ("game", "episode", "replies", "protocol")),
)
OWN_GENERATORS = {  # what `random` and `numpy.random` offer that holds its own state
    *("Random", "SystemRandom"),
    *("default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64", "PCG64DXSM", "Philox"),
}
JOBLESS = {"utils", "util", "helpers", "common", "misc"}
LONGEST = 400


def files(root: Path, *folders: str) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for file in sorted((root / folder).rglob("*.py")):
            yield file.relative_to(root).as_posix(), file


def imported_modules(file: Path) -> set[str]:
    """Every absolute module that ``file`` names in an import, with the names taken from it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                names.add(module)
    return names


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def opened(modules: set[str]) -> set[str]:
    """The modules, and all packages that they lie in."""
    parts = [module.split(".") for module in modules]
    return {".".join(names[:depth]) for names in parts for depth in range(1, len(names) + 1)}


def upward_imports(root: Path) -> list[str]:
    return [
        f"{name} imports {above}, a floor above it. Move the shared code down, or pass it in."
        for rank, floor in enumerate(FLOORS)
        for name, file in files(root, floor)
        for above in sorted(packages(imported_modules(file)) & set(FLOORS[rank + 1 :]))
    ]


def circles_of_rooms(root: Path) -> list[str]:
    """Within a floor a room is a folder or a loose module; arrows between rooms run one way too."""
    breaches = []
    for floor in FLOORS:
        arrows: dict[str, set[str]] = {}
        for name, file in files(root, floor):
            modules = {
                rest.partition(".")[0]
                for module in imported_modules(file)
                for top, _, rest in [module.partition(".")]
                if top == floor
            }
            room = Path(name).with_suffix("").parts[1]
            arrows.setdefault(room, set()).update(modules - {room, ""})
        try:
            tuple(TopologicalSorter(arrows).static_order())
        except CycleError as error:
            way = " -> ".join(error.args[1])
            breaches.append(
                f"{floor} has rooms that import each other, {way}. Move what both need below both."
            )
    return breaches


def stray_libraries(root: Path) -> list[str]:
    return [
        f"{name} imports {library}, which belongs in {', '.join(ALLOWED_IN[library])} only."
        for name, file in files(root, *FLOORS)
        for library in sorted(opened(imported_modules(file)) & set(ALLOWED_IN))
        if not any(fnmatch(name, pattern) for pattern in ALLOWED_IN[library])
    ]


def rulebooks_that_know_an_api(root: Path) -> list[str]:
    apis = {adapter.removesuffix(".py").replace("/", ".") for adapter in ADAPTERS} | set(ALLOWED_IN)
    return [
        f"{name} imports {api}: rules, words and harms know no API. Let the adapters call it."
        for name, file in files(root, "sepo_envs")
        if any(fnmatch(name, pattern) for pattern in RULEBOOKS)
        for modules in [imported_modules(file)]
        for api in sorted((modules | packages(modules)) & apis)
    ]


def relative_imports(root: Path) -> list[str]:
    return [
        f"{name}:{node.lineno} imports relatively. Name the package, so that the arrow can be read."
        for name, file in files(root, *FLOORS)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]


def global_draws(root: Path) -> list[str]:
    """Uses of the process-wide generators of ``random`` and ``numpy.random``."""
    return [
        f"{name}:{line} uses {draw}, one generator for the whole process. "
        "Take `rng: Random` or `seed: int` as an argument."
        for name, file in files(root, *FLOORS, "tests")
        for line, draw in _global_draws(ast.parse(file.read_text()))
    ]


def _global_draws(tree: ast.Module) -> Iterator[tuple[int, str]]:
    modules = {"random", "numpy.random"}
    called = {  # what the file calls each module it imports
        alias.asname or top: alias.name if alias.asname else top
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        for top in [alias.name.partition(".")[0]]
    } | {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                if alias.name not in OWN_GENERATORS:
                    yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Attribute) and node.attr not in OWN_GENERATORS:
            owner, _, rest = ast.unparse(node.value).partition(".")
            module = ".".join(filter(None, (called.get(owner, ""), rest)))
            if module in modules:
                yield node.lineno, f"{module}.{node.attr}"


def jobless_modules(root: Path) -> list[str]:
    return [
        f"{name} is named after no job. Name it after what it does."
        for name, file in files(root, *FLOORS, "tests")
        if JOBLESS & {part.strip("_") for part in (*Path(name).parts[:-1], file.stem)}
    ]


def long_files(root: Path) -> list[str]:
    return [
        f"{name} has {lines} lines, over {LONGEST}. Which two jobs does it hold?"
        for name, file in files(root, *FLOORS, "tests")
        if (lines := len(file.read_text().splitlines())) > LONGEST
    ]


Law = Callable[[Path], list[str]]
LAWS: tuple[Law, ...] = (
    upward_imports,
    circles_of_rooms,
    stray_libraries,
    rulebooks_that_know_an_api,
    relative_imports,
    global_draws,
    jobless_modules,
    long_files,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_checkout_keeps_the_law(law: Law) -> None:
    breaches = law(ROOT)
    assert not breaches, "\n".join(["", *breaches])


@pytest.mark.parametrize(
    ("law", "name", "text"),
    [
        (upward_imports, "sepo_envs/catalogue.py", "from opponents.kuhn_poker import POOLS"),
        (upward_imports, "opponents/pools.py", "def f():\n    import sepo_trainer.learning.loss"),
        (upward_imports, "sepo_trainer/train.py", "import benchmarks"),
        (upward_imports, "sepo_envs/text.py", "importlib.import_module('opponents.kuhn_poker')"),
        (stray_libraries, "sepo_envs/catalogue.py", "import gymnasium as gym"),
        (stray_libraries, "sepo_envs/exact/tree.py", "import pyspiel"),
        (stray_libraries, "opponents/pools.py", "from torch import nn"),
        (stray_libraries, "opponents/endpoint/cache.py", "import httpx"),
        (stray_libraries, "sepo_envs/games/nim/picture.py", "from PIL import Image"),
        (stray_libraries, "sepo_trainer/train.py", "from vllm import LLM"),
        (stray_libraries, "sepo_trainer/policy/model.py", "from peft import PeftModel"),
        (stray_libraries, "sepo_trainer/runs/session.py", "from accelerate import Accelerator"),
        (stray_libraries, "sepo_trainer/train.py", "from torch import distributed as dist"),
        (stray_libraries, "sepo_trainer/train.py", "import torch.distributed.fsdp"),
        (rulebooks_that_know_an_api, "sepo_envs/games/nim/rules.py", "import pettingzoo.utils"),
        (rulebooks_that_know_an_api, "sepo_envs/games/nim/words.py", "from sepo_envs import text"),
        (rulebooks_that_know_an_api, "sepo_envs/replies.py", "from sepo_envs.hooks import Hook"),
        (relative_imports, "sepo_envs/text.py", "from .. import opponents"),
        (global_draws, "opponents/pools.py", "import random\nrandom.seed(0)"),
        (global_draws, "opponents/pools.py", "import random as r\nx = r.choice([1, 2])"),
        (global_draws, "opponents/pools.py", "from random import shuffle"),
        (global_draws, "sepo_trainer/train.py", "import numpy as np\nx = np.random.rand(3)"),
        (global_draws, "sepo_trainer/train.py", "from numpy import random\nx = random.rand(3)"),
        (global_draws, "sepo_trainer/train.py", "import numpy.random\nnumpy.random.rand(3)"),
        (global_draws, "tests/test_train.py", "import numpy\nnumpy.random.seed(0)"),
        (jobless_modules, "sepo_trainer/utils.py", ""),
        (jobless_modules, "sepo_envs/common/dice.py", ""),
        (long_files, "opponents/pools.py", "x = 1\n" * 401),
    ],
)
def test_a_planted_breach_is_found(tmp_path: Path, law: Law, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text)
    (breach,) = law(tmp_path)
    assert breach.startswith(name)


def test_rooms_that_import_each_other_are_found(tmp_path: Path) -> None:
    planted = {
        "sepo_trainer/policy/model.py": "from sepo_trainer.learning import loss",
        "sepo_trainer/learning/loss.py": "def f():\n    import sepo_trainer.train",
        "sepo_trainer/train.py": "from sepo_trainer import policy",
    }
    for name, text in planted.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (breach,) = circles_of_rooms(tmp_path)
    assert breach.startswith("sepo_trainer has rooms that import each other")
    assert all(room in breach for room in ("policy", "learning", "train"))
    (tmp_path / "sepo_trainer/learning/loss.py").write_text("import torch")
    assert circles_of_rooms(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sepo_trainer/train.py", "import opponents, sepo_envs, torch"),
        ("sepo_trainer/samplers/vllm.py", "import vllm"),
        ("sepo_envs/kuhn_poker_v0.py", "import pettingzoo"),
        ("sepo_envs/exact/bridge.py", "import pyspiel"),
        ("opponents/pools.py", "from random import Random\nx = Random(0).random()"),
        ("opponents/pools.py", "import numpy as np\nrng = np.random.default_rng(0)\nrng.random()"),
    ],
)
def test_what_is_allowed_is_not_a_breach(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text)
    assert [breach for law in LAWS for breach in law(tmp_path)] == []
