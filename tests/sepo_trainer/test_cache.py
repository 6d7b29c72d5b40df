"""The cache with room against transformers' own, which grows by concatenation."""

import pytest
import torch
from transformers import DynamicCache

from sepo_trainer.policy.model import tiny
from sepo_trainer.samplers.cache import RoomyLayer, roomy_cache

MODEL = tiny(hidden=32, layers=2, heads=2, run_seed=0).model
ROWS, HEADS, SIZE = 3, 2, 16


def news(length: int, seed: int, rows: int = ROWS) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    keys, values = torch.randn((2, rows, HEADS, length, SIZE), generator=draw)
    return keys, values


def filled(cache, lengths):
    for seed, length in enumerate(lengths):
        for layer in range(2):
            cache.update(*news(length, 2 * seed + layer), layer)
    return cache


def assert_same(mine, theirs):
    for one, other in zip(mine.layers, theirs.layers, strict=True):
        assert torch.equal(one.keys, other.keys)
        assert torch.equal(one.values, other.values)
        assert one.get_seq_length() == other.get_seq_length()
        assert one.get_mask_sizes(5) == other.get_mask_sizes(5)


@pytest.mark.parametrize("lengths", [(1,), (7, 1, 1), (1, 200, 1, 3), (1,) * 150, (90, 90)])
def test_it_holds_what_was_concatenated(lengths):
    """Within its room and beyond it."""
    assert_same(filled(roomy_cache(MODEL), lengths), filled(DynamicCache(), lengths))


def test_rows_that_were_chosen_go_on_by_themselves():
    mine, theirs = (filled(cache, (5, 1)) for cache in (roomy_cache(MODEL), DynamicCache()))
    for cache in (mine, theirs):
        cache.batch_select_indices(torch.tensor([2, 0, 0, 1]))
        for layer in range(2):
            cache.update(*news(2, 9, rows=4), layer)
        cache.reorder_cache(torch.tensor([3, 1]))
        for layer in range(2):
            cache.update(*news(1, 10, rows=2), layer)
    assert_same(mine, theirs)


def test_a_token_is_written_behind_the_others_without_a_copy_of_them():
    layer = filled(roomy_cache(MODEL), (20,)).layers[0]
    where = layer.keys.data_ptr()
    for seed in range(60):
        layer.update(*news(1, seed))
        assert layer.keys.data_ptr() == where
    for seed in range(60):
        layer.update(*news(1, seed))
    assert layer.keys.data_ptr() != where


def test_what_is_taken_is_what_lies_at_those_places_and_the_others_stay_as_they_are():
    other = filled(roomy_cache(MODEL), (6, 3)).layers[0]
    keys, values = other.keys.clone(), other.values.clone()
    rows, places = torch.tensor([1, 1, 0, 2]), torch.tensor([[0, 2], [8, 1], [3, 3], [5, 4]])
    layer = RoomyLayer()
    layer.take(other, rows, places)
    layer.update(*news(1, 7, rows=4))
    for row in range(4):
        for place in range(2):
            source = rows[row], slice(None), places[row, place]
            assert torch.equal(layer.keys[row, :, place], keys[source])
            assert torch.equal(layer.values[row, :, place], values[source])
    assert torch.equal(layer.keys[:, :, 2:], news(1, 7, rows=4)[0])
    assert torch.equal(other.keys, keys)
    assert torch.equal(other.values, values)


def test_its_size_is_that_of_its_room():
    layer = filled(roomy_cache(MODEL), (36,)).layers[0]
    assert layer.keys.shape == (ROWS, HEADS, 36, SIZE)
    assert layer.nbytes == 2 * ROWS * HEADS * (36 + 64) * SIZE * 4
