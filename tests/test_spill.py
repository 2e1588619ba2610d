"""Sorting beyond memory against sorting in memory: any keys, any pieces, any budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild import spill
from kgbuild.spill import SortedTable
from kgbuild.tables import TABLES

Rows = list[dict[str, object]]

# Few distinct keys and many: duplicates, skew, one key alone, keys beyond ASCII, empty ones.
KEYS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    st.integers(0, 5).map(str),
    st.just("always the same"),
)


def _text(key: str, body: str = "") -> dict[str, object]:
    return {"text_id": key, "product_id": "p", "field": "title", "text": body}


def _table(rows: Rows, name: str) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=TABLES[name].schema)


def _sorted(name: str, pieces: Sequence[Rows], folder: Path, budget: int) -> list[pa.Table]:
    with SortedTable(name, folder, budget_bytes=budget) as sorter:
        for piece in pieces:
            sorter.add(_table(piece, name))
        return list(sorter.pieces())


def _oracle(name: str, pieces: Sequence[Rows]) -> Rows:
    """Each key once, the first row added, in the order of the keys' UTF-8 bytes."""
    first: dict[tuple[object, ...], dict[str, object]] = {}
    for row in (row for piece in pieces for row in piece):
        first.setdefault(tuple(row[column] for column in TABLES[name].key), row)
    return [first[key] for key in sorted(first, key=lambda key: [str(part).encode() for part in key])]


@given(
    st.lists(st.lists(st.builds(_text, KEYS, st.text("ab", max_size=9)), max_size=12), max_size=8),
    st.sampled_from([1, 60, 300, 1 << 20]),
    st.sampled_from([1, 2, 256]),
)
@settings(max_examples=60, deadline=None)
def test_equals_a_sort_in_memory(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[Rows], budget: int, groups: int
) -> None:
    folder = tmp_path_factory.mktemp("sort")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "_GROUPS_A_RUN", groups)
        made = _sorted("texts", pieces, folder, budget)
    assert pa.concat_tables(made).to_pylist() == _oracle("texts", pieces)
    assert list(folder.iterdir()) == []


@given(st.lists(st.lists(st.tuples(KEYS, KEYS), max_size=10), max_size=6), st.sampled_from([1, 200, 1 << 20]))
@settings(max_examples=60, deadline=None)
def test_equals_a_sort_in_memory_where_the_first_column_says_little(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[list[tuple[str, str]]], budget: int
) -> None:
    pieces: list[Rows] = [
        [{"stage": "ingest", "key": key, "reason": reason, "detail": ""} for key, reason in piece] for piece in pairs
    ]
    made = _sorted("rejects", pieces, tmp_path_factory.mktemp("sort"), budget)
    assert pa.concat_tables(made).to_pylist() == _oracle("rejects", pieces)


def test_beyond_the_budget_pieces_stay_small_and_follow_each_other(tmp_path: Path) -> None:
    rows: Rows = [_text(f"{(i * 7919) % 50_021:06d}", "x" * 40) for i in range(50_021)]
    pieces = [rows[start : start + 1_000] for start in range(0, len(rows), 1_000)]
    budget = 400_000
    made = _sorted("texts", pieces, tmp_path, budget)
    assert len(made) > 8
    assert max(piece.nbytes for piece in made) < 3 * budget
    ids = [key for piece in made for key in piece["text_id"].to_pylist()]
    assert ids == [f"{i:06d}" for i in range(50_021)]


def test_the_first_of_equal_keys_stays_wherever_the_runs_part(tmp_path: Path) -> None:
    pieces: list[Rows] = [[_text("k", str(i)), _text("l", str(i))] for i in range(30)]
    made = pa.concat_tables(_sorted("texts", pieces, tmp_path, 100))
    assert made["text"].to_pylist() == ["0", "0"]


def test_rows_that_differ_in_a_later_part_of_the_key_all_stay(tmp_path: Path) -> None:
    rows: Rows = [
        {"stage": "ingest", "key": "1", "reason": reason, "detail": detail} for reason in "ba" for detail in "yx"
    ]
    made = pa.concat_tables(_sorted("rejects", [rows, rows], tmp_path, 1))
    assert [(row["reason"], row["detail"]) for row in made.to_pylist()] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "x"),
        ("b", "y"),
    ]


def test_no_rows_give_one_piece_without_rows(tmp_path: Path) -> None:
    made = _sorted("images", [[], []], tmp_path, 1)
    assert [piece.num_rows for piece in made] == [0]
    assert made[0].schema == TABLES["images"].schema


def test_scratch_is_removed_after_a_failure_too(tmp_path: Path) -> None:
    def fail_halfway() -> None:
        with SortedTable("texts", tmp_path, budget_bytes=1) as sorter:
            sorter.add(_table([_text("a"), _text("b")], "texts"))
            sorter.add(_table([_text("c")], "texts"))
            assert any(tmp_path.rglob("run-*.parquet"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []
