"""The processes of a run: which of them this is, and how they come to the same.

`torchrun` and `accelerate launch` start several processes of one command and tell each its place in
the environment. Every process does what is cheap, alike; what is dear (play, forward and backward)
they share out, and then each takes all of what was found. So no process holds a state that the
others lack. Process 0 is the main one: it alone writes, shows and tells.

Started without a launcher there is one process, and nothing here does anything: each function hands
back what it was given, and `torch.distributed` is not even imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:  # settings are refused and help is shown before torch is imported
    from torch import Tensor
    from torch.distributed.distributed_c10d import Store
    from torch.distributed.tensor import DTensor

Item = TypeVar("Item")
Found = TypeVar("Found")

PATIENCE = timedelta(hours=2)
"""Until a process that is waited for counts as lost. One that dies is noticed at once."""
PRECEDENCE = 0.5
"""Seconds that the main process may be late with an error that all have, and still tell it."""
BUCKET = 2**26
"""About so many numbers are summed over processes at once; more where a single tensor has more."""
IGNORED = {
    "ACCELERATE_USE_FSDP": "leave --use_fsdp out",
    "ACCELERATE_USE_DEEPSPEED": "leave --use_deepspeed out",
    "ACCELERATE_USE_MEGATRON_LM": "leave --use_megatron_lm out",
}
"""Options of `accelerate launch` that only a trainer built on it would heed, and the mend."""


class LostError(RuntimeError):
    """Another process of the run has ended."""


class ApartError(ValueError):
    """The processes of a run do not do the same."""


class ToldError(Exception):
    """A failure that another process has told of, or will."""


def count() -> int:
    """How many processes the run has, on all machines."""
    return int(os.environ.get("WORLD_SIZE", 1))


def rank() -> int:
    """The number of this one, from 0."""
    return int(os.environ.get("RANK", 0)) if count() > 1 else 0


def is_main() -> bool:
    """Whether this process writes, shows and tells."""
    return rank() == 0


def again(command: str) -> str:
    """How to start a command of the trainer in as many processes as this machine now has.

    >>> again("train --resume runs/a")
    'python -m sepo_trainer train --resume runs/a'
    """
    many = os.environ.get("LOCAL_WORLD_SIZE", count())
    launcher = "python" if count() == 1 else f"torchrun --nproc-per-node {many}"
    return f"{launcher} -m sepo_trainer {command}"


def own_cuda_device() -> str:
    """The CUDA device of this process: that of its place on its machine.

    Raises:
        ValueError: the machine has fewer.
    """
    if count() == 1:
        return "cuda"
    import torch

    local, there = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if local >= there:
        raise ValueError(
            f"process {local + 1} of this machine has no CUDA device, since torch finds {there}. "
            "Start as many processes as there are devices, or add --model.device cpu."
        )
    torch.cuda.set_device(local)
    return f"cuda:{local}"


@contextmanager
def joined() -> Iterator[None]:
    """Inside, the processes of one launch can meet. If one fails, all end, and one tells why.

    Raises:
        ToldError: this process ends because another one did, or both for the same reason.
    """
    if count() == 1:
        yield
        return
    for name, instead in IGNORED.items():
        if os.environ.get(name, "false").lower() == "true":
            if not is_main():
                raise ToldError
            raise ValueError(
                f"the launcher was given an option that is not heeded here: {instead}."
            )
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, number, of = next(rendezvous("env://", timeout=PATIENCE))
    words = PrefixStore("words", store)
    distributed.init_process_group(
        store=PrefixStore("group", store),
        rank=number,
        world_size=of,
        timeout=PATIENCE,
    )
    try:
        yield
        with _meeting():  # whoever is through may not take away what others still need
            distributed.barrier()
    except ToldError:
        raise
    except Exception as error:
        first = _first_to_fail(words, alone=isinstance(error, LostError))
        if not first:
            raise ToldError from error
        raise
    distributed.destroy_process_group()


def _first_to_fail(words: Store, *, alone: bool) -> bool:
    """Whether no other process has said before that it fails.

    Args:
        words: where they leave a word for one another, also while others are stuck elsewhere. It
            may lie in the main process, and go with it.
        alone: what to take for true if it has gone.
    """
    if not is_main():
        sleep(PRECEDENCE)
    try:
        first = int(words.compare_set("failed", "", str(rank()))) == rank()
    except RuntimeError:
        return alone
    if is_main():
        sleep(2 * PRECEDENCE)  # until those that fail alike have seen it
    return first


@contextmanager
def _meeting() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise LostError(
            "another process of this run has ended without a word: it was killed, or its machine "
            "ran out of memory. What was saved before stands; go on with --resume."
        ) from error


def gathered(value: Found) -> list[Found]:
    """What each process brings, by its number; every process takes all of it."""
    if count() == 1:
        return [value]
    from torch import distributed

    found: list[Any] = [None] * count()
    with _meeting():
        distributed.all_gather_object(found, value)
    return found


def from_main(find: Callable[[], Found]) -> Found:
    """What the main process finds; the others wait for it. If it fails, they end too."""
    if count() == 1:
        return find()
    import torch
    from torch import distributed

    message: list[Any] = [None, False]
    failure: Exception | None = None
    if is_main():
        try:
            message = [find(), True]
        except Exception as error:
            failure = error
    with _meeting():
        distributed.broadcast_object_list(message, src=0, device=torch.device("cpu"))
    if failure is not None:
        raise failure
    value, found = message
    if not found:
        raise ToldError
    return value  # type: ignore[no-any-return]


def together(do: Callable[[], Found]) -> Found:
    """What ``do`` gives in this process, once it has succeeded in all of them. Where it fails in
    several, the first of them tells."""
    if count() == 1:
        return do()
    failure: Exception | None = None
    try:
        found = do()
    except Exception as error:
        failure = error
    failed = gathered(failure is not None)
    if not any(failed):
        return found
    if failure is not None and failed.index(True) == rank():
        raise failure
    raise ToldError from failure


def any_of(flag: bool) -> bool:
    """Whether it is so in any process."""
    return any(gathered(flag))


def check_alike(what: str, find: Callable[[], Any], *, mend: str) -> None:
    """Refuse to go on where processes have come apart.

    Args:
        what: they should have in common, for the message.
        find: that, as something to compare; not called where there is one process.

    Raises:
        ApartError: some have another than the main one.
    """
    if count() == 1:
        return
    found = gathered(find())
    if other := [number for number, theirs in enumerate(found) if theirs != found[0]]:
        raise ApartError(
            f"the processes of this run do not agree on {what}: process {other[0]} has another "
            f"than process 0. {mend}"
        )


def add_up(tensors: Sequence[Tensor]) -> None:
    """Put into each tensor its sum over all processes. They bring tensors of the same shapes."""
    if count() == 1:
        return
    import torch
    from torch import distributed

    sizes = accumulate(tensor.numel() for tensor in tensors)
    buckets: dict[tuple[Any, ...], list[Tensor]] = {}
    for tensor, size in zip(tensors, sizes, strict=True):
        buckets.setdefault((size // BUCKET, tensor.dtype, tensor.device), []).append(tensor)
    for bucket in buckets.values():
        whole = torch.cat([tensor.flatten() for tensor in bucket])
        with _meeting():
            distributed.all_reduce(whole)
        parts = whole.split([tensor.numel() for tensor in bucket])
        for tensor, part in zip(bucket, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def is_part(tensor: Tensor) -> bool:
    """Whether each process has a part of it: then what is done to it is done by all of them."""
    if count() == 1:
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """All of what each process has a part of; anything else as it is."""
    if not is_part(tensor):
        return tensor
    with _meeting():
        return cast("DTensor", tensor).full_tensor()


def whole_in_main(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, to be saved: what processes have parts of is whole in the main one, on the CPU,
    and left out by the others. One at a time, as all together may not fit on a device."""
    found = {}
    for name, tensor in tensors.items():
        entire = whole(tensor)
        if not is_part(tensor):
            found[name] = entire
        elif is_main():
            found[name] = entire.cpu()
    return found


def parted_like(tensor: Tensor, other: Tensor) -> Tensor:
    """Of what every process has the whole of, the part that it has of ``other``; all of it where
    that is whole too."""
    if not is_part(other):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    like = cast("DTensor", other)
    return distribute_tensor(
        tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None
    )


def added_up(numbers: Mapping[str, float]) -> dict[str, float]:
    """By name, the sum over the processes that have it."""
    found: dict[str, float] = {}
    for theirs in gathered(dict(numbers)):
        for name, value in theirs.items():
            found[name] = found.get(name, 0.0) + value
    return found


def player_of(number: int, *, of: int) -> int:
    """Which of some processes has thing ``number`` of many alike: there and back again, so that
    what comes in twos and threes is not always the same one's.

    >>> [player_of(number, of=3) for number in range(9)]
    [0, 1, 2, 2, 1, 0, 0, 1, 2]
    """
    turn, place = divmod(number, of)
    return of - 1 - place if turn % 2 else place


def own_hand(items: Sequence[Item], *, team: int = 1) -> Sequence[Item]:
    """Those of ``items`` that `player_of` deals to this process.

    Args:
        team: so many neighbouring processes have the same hand.
    """
    players, player = count() // team, rank() // team
    if players == 1:
        return items
    return [one for number, one in enumerate(items) if player_of(number, of=players) == player]


def shares(costs: Sequence[int], parts: int) -> list[range]:
    """Neighbours stay together, and every part costs about the same; some may be empty.

    >>> shares([5, 1, 1, 1, 2], 2)
    [range(0, 1), range(1, 5)]
    >>> shares([7], 3)
    [range(0, 0), range(0, 1), range(1, 1)]
    """
    total, spent = sum(costs), 0
    ends = [0] * parts
    for cost in costs:
        # A thing belongs where its middle lies.
        ends[min(parts - 1, (2 * spent + cost) * parts // (2 * total))] += 1
        spent += cost
    until = list(accumulate(ends))
    return [range(end - size, end) for end, size in zip(until, ends, strict=True)]


def own_share(items: Sequence[Item], costs: Iterable[int]) -> Sequence[Item]:
    """Those of ``items`` that are this process's."""
    if count() == 1:
        return items
    mine = shares(list(costs), count())[rank()]
    return items[mine.start : mine.stop]


def worked_out(
    items: Sequence[Item],
    costs: Iterable[int],
    work: Callable[[Sequence[Item]], Sequence[Found]],
) -> list[Found]:
    """What ``work`` makes of every item, in order; each process works at its share."""
    return [one for theirs in gathered(list(work(own_share(items, costs)))) for one in theirs]
