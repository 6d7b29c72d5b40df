"""Trainers of several processes, as a launcher starts them. Nothing in the trainer knows of it.

    python tests/sepo_trainer/launched.py FOLDER '[["name", "job", 2, ["train", ...]], ...]'

forks the processes of each job, with the environment that a launcher would give them, and writes
for each what it said and what it noted (``name.rank.err``, ``name.rank.json``) into the folder;
prints how all ended, as JSON. One process imports torch for all of them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from traceback import print_exc
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel

from sepo_trainer import run as runs
from sepo_trainer.commands import main
from sepo_trainer.courses.arena import Arena
from sepo_trainer.learning import learner as learners
from sepo_trainer.learning.learner import Batch, Learner, Pull
from sepo_trainer.learning.loss import LossKind
from sepo_trainer.policy import adapter, split
from sepo_trainer.policy.forward import forget_in_between, hidden_states, logits
from sepo_trainer.policy.weights import FrozenCopy, frozen_copy
from sepo_trainer.processes import add_up, added_up, count, joined, parted_like, rank, whole
from sepo_trainer.records import Trace
from sepo_trainer.run import Run, put_together
from sepo_trainer.runs import session
from sepo_trainer.samplers.transformers import TransformersSampler
from sepo_trainer.settings.resolve import build

MODEL = {"hidden": 32, "layers": 1, "heads": 2}
ROLLOUT = {"group_size": 4, "max_new_tokens": 5, "style": "conversation"}
LOSSES: dict[str, tuple[LossKind, dict[str, float]]] = {
    "clipped": ("clipped", {"clip": 0.1}),
    "dr_grpo": ("dr_grpo", {"clip": 0.1, "longest": 5}),
    "dapo": ("dapo", {"clip": 0.1, "clip_high": 0.2}),
    "gspo": ("gspo", {"clip": 0.01}),
    "cispo": ("cispo", {"clip": 0.2, "clip_high": 0.1}),
}


def ready(kind: str, *, sharded: bool) -> Run:
    """A run that is about to play, in double precision, so that what a share changes is not hidden
    in rounding."""
    cut = runs.split

    def split_in_double(model: PreTrainedModel) -> None:
        cut(model.double())

    runs.split = split_in_double
    model = MODEL | {"sharded": sharded}
    tree = {"model": model, "adapter": {"kind": kind}, "warm_start": {"steps": 0}}
    run = put_together(build({**tree, "rollout": ROLLOUT}, source="test"))
    run.begin_learning()
    run.learner.model.double()
    run.learner.reference.model.double()
    if sharded:  # what it forgets in between, it has to gather once more
        forget_in_between(run.learner.model)
    run.publish()
    return run


def move(run: Run) -> None:
    """The policy away from the one that played, and off its reference."""
    draw = torch.Generator().manual_seed(1)
    split.let_go(run.learner.model)
    with torch.no_grad():
        for weight in run.policy.learning().values():
            by = 0.02 * torch.randn(weight.shape, generator=draw, dtype=torch.float64)
            weight += parted_like(by, weight)


def gradient(model: torch.nn.Module) -> torch.Tensor:
    grads = [whole(w.grad) for w in model.parameters() if w.grad is not None]
    return torch.cat([grad.flatten() for grad in grads])


def learned(run: Run) -> torch.Tensor:
    weights = [whole(weight.detach()) for weight in run.policy.learning().values()]
    return torch.cat([weight.flatten() for weight in weights])


def kept(model: torch.nn.Module) -> torch.Tensor:
    """Of the weights, the share that lies in this process."""
    own = [getattr(weight, "to_local", lambda w=weight: w)() for weight in model.parameters()]
    held = sum(w.numel() for w in own) / sum(w.numel() for w in model.parameters())
    return torch.tensor([held])


def gradients(kind: str, *, sharded: bool) -> dict[str, torch.Tensor]:
    """Of every loss on the same episodes, of one lonely row, and of the warm start."""
    from sepo_trainer.train import learnable

    run = ready(kind, sharded=sharded)
    learner, course = run.learner, run.course
    with torch.random.fork_rng():
        known = course.read()
    groups = course.arena.play(course.sampler, known.opponents, iteration=0)
    rows, _ = learnable(course, groups, known.gates)
    found = {"kept while it plays": kept(learner.model)}
    move(run)
    found["kept while it learns"] = kept(learner.model)
    for name, (loss, more) in LOSSES.items():
        pull = Pull(**({"clip": 0.2, "kl_talk": 1.0, "kl_move": 0.5, "entropy": 0.1} | more))
        learner.optimizer.zero_grad(set_to_none=True)
        stats = learner.accumulate(Batch(rows, pull._replace(loss=loss)))
        learner.sum_gradients()
        found[name] = gradient(learner.model).clone()
        found[f"{name}.stats"] = torch.tensor([stats[key] for key in sorted(stats)])
    learner.optimizer.zero_grad(set_to_none=True)
    learner.accumulate(Batch(rows[-1:], Pull(0.2, 1.0, 0.5, 0.1)))
    learner.sum_gradients()
    found["one row"] = gradient(learner.model).clone()
    before = learned(run)
    learner.optimizer = torch.optim.SGD(run.policy.learning().values())
    learner.gradient_clip = 1e9
    traces = [Trace(row.prompt_ids, row.rest_ids, row.written) for row in rows[:24]]
    counts = [1.0 + number % 3 for number in range(len(traces))]
    loss = learner.imitate(traces, counts, learning_rate=1.0)
    found["warm start"] = before - learned(run)
    found["warm start.stats"] = torch.tensor([loss])
    run.publish()
    if isinstance(learner.reference, FrozenCopy):
        found["kept of the reference"] = kept(learner.reference.model)
    return found


def of_families() -> dict[str, torch.Tensor]:
    """Gradients of models as people have them, with all weights and with adapters; what a frozen
    copy makes of the same rows; and the sums of their weights. In several processes they are split,
    and each reads its share."""
    from tests.sepo_trainer.real_models import FAMILIES

    rows = [((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), (5, 6)), ((1, 2, 9), (5, 8)), ((1,), (4, 5))]
    mine = rows if count() == 1 else [rows[:2], rows[2:]][rank()]

    def seen(model: PreTrainedModel) -> torch.Tensor:
        found = hidden_states(model, mine, pad_id=0)
        return logits(model, found.states)[found.where].logsumexp(-1).sum()

    found = {}
    for family, (make, _) in FAMILIES.items():
        for kind in ("none", "lora"):
            model = make().double().eval()
            if kind == "lora":
                model.requires_grad_(False)
                adapter.attach(model, kind, rank=4, alpha=8, weights_seed=1)
                for weight in adapter.tensors(model, kind).values():
                    weight.data = weight.double() + 0.1
                adapter.speak(model, kind)
                adapter.learn(model, kind)
            if count() > 1:
                split.split(model)
                forget_in_between(model)
            if kind == "none":
                with torch.no_grad(), frozen_copy(model).speaking() as copy:
                    value = added_up({"": float(seen(copy))})[""]
                found[f"{family}: copy"] = torch.tensor([value])
            seen(model).backward()
            if kind == "lora":
                add_up([w.grad for w in adapter.tensors(model, kind).values()])
            found[f"{family}: {kind}"] = gradient(model)
            split.gather(model)
            weights = adapter.plain_weights(model, kind)
            sums = [weight.double().sum() for _, weight in sorted(weights.items())]
            found[f"{family}: weights of {kind}"] = torch.stack(sums)
    return found


def note(name: str, owner: Any, of: Callable[..., int]) -> list[int]:
    """What ``of`` makes of the arguments of each call of a function."""
    real, noted = getattr(owner, name), []

    def wrapped(*args: Any, **more: Any) -> Any:
        noted.append(of(*args))
        return real(*args, **more)

    setattr(owner, name, wrapped)
    return noted


def at_call(number: int, owner: Any, name: str, do: Callable[[], None]) -> None:
    """Do something before the ``number``-th call of a function, in process 1 alone."""
    real, calls = getattr(owner, name), 0

    def wrapped(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and rank() == 1:
            do()
        return real(*args, **more)

    setattr(owner, name, wrapped)


def fail() -> None:
    raise OSError(28, "No space left on device")


def work(job: str, arguments: list[str], notes: str) -> int:
    """Do the job, and write how many groups and rows this process has played and read."""
    session.write_report = lambda folder: None  # pictures take longer than the run
    played = note("_played", Arena, lambda arena, plans, *rest: len(plans))
    read = note("hidden_states", learners, lambda model, rows, **more: len(rows))
    match job:
        case "gradients":
            [kind, *more] = arguments
            with joined():
                save_file(gradients(kind, sharded=bool(more)), f"{notes}.safetensors")
            code = 0
        case "families":
            with joined():
                save_file(of_families(), f"{notes}.safetensors")
            code = 0
        case "stopped":
            at_call(1, session, "_check_fouls", lambda: signal.raise_signal(signal.SIGTERM))
            code = main(arguments)
        case "failing":
            at_call(9, TransformersSampler, "generate", fail)
            code = main(arguments)
        case "killed":
            at_call(9, TransformersSampler, "generate", lambda: os.kill(os.getpid(), 9))
            code = main(arguments)
        case "apart":
            code = main([*arguments, "--seed", str(rank())])
        case "drifting":
            real = Learner.update

            def update(learner: Learner, *args: Any, **more: Any) -> Any:
                found = real(learner, *args, **more)
                if rank() == 1:
                    next(learner.model.parameters()).data[0, 0] += 1e-6
                return found

            Learner.update = update  # type: ignore[method-assign]
            code = main(arguments)
        case "train":
            code = main(arguments)
    Path(f"{notes}.json").write_text(json.dumps({"played": played, "read": read}))
    return code


def start(name: str, job: str, number: int, of: int, port: int, arguments: list[str]) -> int:
    """One process of a job; its id."""
    child = os.fork()
    if child:
        return child
    notes = f"{name}.{number}"
    with Path(f"{notes}.err").open("w") as said:
        os.dup2(said.fileno(), 2)
        os.dup2(said.fileno(), 1)
    if of > 1:
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        place = {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(of)}
        os.environ.update(address | place)
    code = 1
    try:
        code = work(job, arguments, notes)
    except BaseException:
        print_exc()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    ended = {}
    for name, job, of, arguments in json.loads(sys.argv[2]):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        children = [start(name, job, number, of, port, arguments) for number in range(of)]
        ended[name] = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(json.dumps(ended))
