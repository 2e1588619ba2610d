"""The cache gives back what was put in, and never changes a result, whatever happened to its files."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest

from kgbuild.embeddings import EmbeddingCache, text_key
from kgbuild.embeddings import cache as cache_module

DIM = 4


def keys_of(*numbers):
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]


def rows_of(*numbers):
    return np.array([[number, number + 0.5, -number, 1.0] for number in numbers], np.float32).reshape(-1, DIM)


def open_cache(folder, fingerprint="f" * 64, kind="images", dim=DIM):
    return EmbeddingCache(folder, fingerprint=fingerprint, kind=kind, dim=dim)


def test_what_was_put_is_got_now_and_after_opening_again(tmp_path):
    cache = open_cache(tmp_path)
    cache.put(keys_of(1, 2, 3), rows_of(1, 2, 3))
    cache.put(keys_of(3, 4), rows_of(99, 4))
    for each in (cache, open_cache(tmp_path)):
        held, rows = each.get(keys_of(4, 7, 1, 3))
        assert held.tolist() == [True, False, True, True]
        np.testing.assert_array_equal(rows[held], rows_of(4, 1, 3))
        assert len(each) == 4


def test_models_kinds_and_lengths_do_not_mix(tmp_path):
    open_cache(tmp_path).put(keys_of(1), rows_of(1))
    assert len(open_cache(tmp_path, fingerprint="0" * 64)) == 0
    assert len(open_cache(tmp_path, kind="texts")) == 0
    assert len(open_cache(tmp_path, dim=DIM + 1)) == 0


def test_a_key_twice_in_one_call_is_held_once(tmp_path):
    cache = open_cache(tmp_path)
    cache.put(keys_of(1, 1, 2), rows_of(1, 5, 2))
    np.testing.assert_array_equal(cache.get(keys_of(1, 2))[1], rows_of(1, 2))


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_damaged_segment_counts_as_absent_and_is_written_anew(tmp_path, cut):
    cache = open_cache(tmp_path)
    cache.put(keys_of(1, 2), rows_of(1, 2))
    (segment,) = tmp_path.rglob("*.arrow")
    del cache
    segment.write_bytes(segment.read_bytes()[:cut])
    again = open_cache(tmp_path)
    assert len(again) == 0
    again.put(keys_of(1, 2), rows_of(1, 2))
    np.testing.assert_array_equal(open_cache(tmp_path).get(keys_of(1, 2))[1], rows_of(1, 2))


def test_many_segments_become_one(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "_SEGMENTS", 3)
    cache, beside = open_cache(tmp_path), open_cache(tmp_path)
    beside.put(keys_of(100), rows_of(100))
    for number in range(5):
        cache.put(keys_of(number), rows_of(number))
    assert len(list(tmp_path.rglob("*.arrow"))) <= 4
    again = open_cache(tmp_path)
    np.testing.assert_array_equal(again.get(keys_of(*range(5)))[1], rows_of(*range(5)))
    np.testing.assert_array_equal(beside.get(keys_of(100))[1], rows_of(100))
    assert again.get(keys_of(100))[0].all(), "another process's segment was lost"


def test_what_a_kill_left_is_removed(tmp_path):
    open_cache(tmp_path).put(keys_of(1), rows_of(1))
    (segment,) = tmp_path.rglob("*.arrow")
    left = segment.with_name("half.tmp")
    left.write_bytes(b"half")
    assert len(open_cache(tmp_path)) == 1
    assert left.exists(), "somebody may be writing it right now"
    os.utime(left, (0, 0))
    assert len(open_cache(tmp_path)) == 1
    assert not left.exists()


def test_text_keys_are_hashes_of_the_text():
    assert text_key("robe") == hashlib.sha256(b"robe").hexdigest()
    assert text_key("\ud800")  # what is no valid Unicode has a key too
