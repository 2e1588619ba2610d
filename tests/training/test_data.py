"""Order, position, pictures and texts of training batches."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from small_catalogue import compose, export, small_tables

from kgbuild.training.augment import augment_pictures, augment_with, draw_augmentations
from kgbuild.training.data import build_picture_cache, epoch_batches, open_shards, row_keys
from kgbuild.training.drawing import made_ahead
from kgbuild.training.views import ProductText, draw_views

TABLES = small_tables()


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "out"
    export(TABLES, compose(TABLES), folder, shard_batches=1)
    return open_shards(folder)


def ids(batches) -> list[list[str]]:
    return [[row["product_id"] for row in batch] for batch in batches]


@pytest.mark.parametrize("window_rows", [5, 1000])
def test_an_epoch_has_every_row_at_most_once_in_an_order_of_its_own(shards, window_rows: int) -> None:
    arguments = {"batch_size": 5, "window_rows": window_rows, "seed": 4}
    first, second = (ids(epoch_batches(shards, epoch=epoch, **arguments)) for epoch in (0, 1))
    assert first == ids(epoch_batches(shards, epoch=0, **arguments))
    assert first != second
    for batches in (first, second):
        flat = [product for batch in batches for product in batch]
        assert len(batches) == 4
        assert len(flat) == len(set(flat)) == 20


def test_pictures_are_decoded_once_and_resized(shards, tmp_path: Path) -> None:
    calls = []

    def geometry(image):
        calls.append(image.size)
        return image.resize((6, 8))

    arguments = {"size": (8, 6), "geometry": geometry, "geometry_key": "squash"}
    cache = build_picture_cache(shards, tmp_path, **arguments)
    distinct = len(calls)
    assert distinct == len(cache) == len(set(TABLES["pictures"]["sha256"].to_pylist()))
    again = build_picture_cache(shards, tmp_path, **arguments)
    assert len(calls) == distinct
    hashes = TABLES["pictures"]["sha256"].to_pylist()[:3]
    assert again.take(hashes).shape == (3, 8, 6, 3)
    assert np.array_equal(again.take(hashes), cache.take(hashes))
    build_picture_cache(shards, tmp_path, **{**arguments, "geometry_key": "longest"})
    assert len(calls) == 2 * distinct


def test_rows_share_a_key_when_product_title_or_picture_are_the_same() -> None:
    row = {"product_id": "1", "title": "Red  Shirt", "text": "x", "sha256": "a"}
    product, title, sha256 = row_keys(row)
    other = row_keys({**row, "product_id": "2", "title": "red shirt"})
    assert (other[0] == product, other[1] == title, other[2] == sha256) == (False, True, True)
    other = row_keys({**row, "sha256": "b"})
    assert (other[0] == product, other[1] == title, other[2] == sha256) == (True, True, False)


def test_augmentation_of_a_slice_is_the_slice_of_the_augmentation() -> None:
    pictures = torch.rand(6, 3, 20, 15, generator=torch.Generator().manual_seed(0))
    draws = draw_augmentations(6, torch.Generator().manual_seed(1))
    whole = augment_with(pictures, draws)
    assert torch.allclose(augment_with(pictures[2:4], draws[2:4]), whole[2:4], atol=1e-6)
    assert whole.shape == pictures.shape
    assert float(whole.min()) >= 0.0
    assert float(whole.max()) <= 1.0
    assert torch.equal(augment_pictures(pictures, torch.Generator().manual_seed(1)), whole)
    assert not torch.allclose(whole, pictures, atol=0.05)


def test_a_picture_without_movement_stays_in_place() -> None:
    draws = torch.full((1, 16), 0.5)
    draws[0, 1], draws[0, 15] = 5 / 6, 0.9  # zoom 1, nothing erased; 0.5 elsewhere is the middle of every range
    picture = torch.rand(1, 3, 20, 15, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(augment_with(picture, draws), picture, atol=1e-5)


def test_views_say_nothing_that_the_product_does_not() -> None:
    product = ProductText(
        "A soft shirt.",
        "Acme Red Shirt",
        "Acme",
        ("Round neck with pocket.", "Pure cotton."),
        ("Red", "Shirts", "red shirt"),
    )
    known = {"a", "soft", "shirt", "acme", "red", "round", "neck", "with", "pocket", "pure", "cotton", "shirts"}
    seen = set()
    for seed in range(200):
        for view in draw_views(product, 2, random.Random(seed)):
            words = view.lower().replace(",", " ").replace(".", " ").split()
            assert words
            assert set(words) <= known
            seen.add(view)
    assert len(seen) > 40
    assert draw_views(product, 2, random.Random(7)) == draw_views(product, 2, random.Random(7))


def test_a_product_of_few_words_still_has_views() -> None:
    for seed in range(50):
        assert all(draw_views(ProductText("Cap"), 3, random.Random(seed)))


@pytest.mark.parametrize("in_background", [False, True])
def test_batches_come_in_order_and_failures_come_through(in_background: bool) -> None:
    def make(number: int) -> int:
        if number == 3:
            raise ValueError(number)
        return number * 10

    coming = made_ahead(make, ((number,) for number in range(5)), in_background=in_background)
    assert [next(coming) for _ in range(3)] == [0, 10, 20]
    with pytest.raises(ValueError, match="3"):
        next(coming)
