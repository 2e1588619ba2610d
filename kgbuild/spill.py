"""Sorting tables that may not fit into memory: sorted runs on disk, then one merge by ranges of the key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgbuild.tables import TABLES, in_order

BUDGET_BYTES: Final = 256 << 20
_GROUPS_A_RUN: Final = 256  # the finer, the closer a range of keys comes to the budget, and the less is read twice


@dataclass(frozen=True)
class _Run:
    """A sorted file; `starts` are the first keys of its row groups."""

    path: Path
    starts: list[str]


class SortedTable:
    """Takes the rows of one table in any order and gives them back in the order of its key, each key once.

    Rows with equal keys are the same fact met twice (ids are content); the first one added stays. Memory holds at most about twice
    `budget_bytes`; beyond that, sorted runs are kept in `scratch`, which is removed at the end.
    """

    def __init__(self, name: str, scratch: Path, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self.name = name
        self._scratch = scratch / f".sort-{name}"
        self._budget = budget_bytes
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._spilled_bytes = 0
        self._runs: list[_Run] = []

    def __enter__(self) -> SortedTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

    def add(self, rows: pa.Table) -> None:
        """Add rows of the table, conforming to its schema."""
        if rows.num_rows == 0:
            return
        self._held.append(rows)
        self._held_bytes += rows.nbytes
        if self._held_bytes > self._budget:
            self._spill()

    def pieces(self) -> Iterator[pa.Table]:
        """All rows in the order of the key, piece by piece; to be called once."""
        if not self._runs:
            yield self._sorted_held()
            return
        self._spill()
        bounds = self._bounds()
        for low, high in zip([None, *bounds], [*bounds, None], strict=True):
            parts = [part for run in self._runs for part in _between(run, self._column, low, high)]
            if parts:
                yield _unique(in_order(pa.concat_tables(parts), self.name), self.name)

    @property
    def _column(self) -> str:
        return TABLES[self.name].key[0]

    def _sorted_held(self) -> pa.Table:
        rows = pa.concat_tables(self._held) if self._held else TABLES[self.name].schema.empty_table()
        self._held, self._held_bytes = [], 0
        return _unique(in_order(rows, self.name), self.name)

    def _spill(self) -> None:
        if not self._held:
            return
        self._scratch.mkdir(parents=True, exist_ok=True)
        path = self._scratch / f"run-{len(self._runs):05d}.parquet"
        rows = self._sorted_held()
        group_rows = -(-rows.num_rows // _GROUPS_A_RUN)
        starts = rows[self._column].take(pa.array(range(0, rows.num_rows, group_rows))).to_pylist()
        pq.write_table(rows, path, row_group_size=group_rows, compression="lz4", write_statistics=False)
        self._runs.append(_Run(path, starts))
        self._spilled_bytes += rows.nbytes

    def _bounds(self) -> list[str]:
        """Keys that cut all runs into ranges of about the budget each."""
        n_ranges = max(1, -(-self._spilled_bytes // self._budget))
        starts = sorted(start for run in self._runs for start in run.starts)
        return sorted({starts[len(starts) * i // n_ranges] for i in range(1, n_ranges)})


def _between(run: _Run, column: str, low: str | None, high: str | None) -> Iterator[pa.Table]:
    """The rows of a run with low <= key < high."""
    with pq.ParquetFile(run.path) as parquet:
        for group, start in enumerate(run.starts):
            ends_before = low is not None and group + 1 < len(run.starts) and run.starts[group + 1] < low
            if ends_before or (high is not None and start >= high):
                continue
            rows = parquet.read_row_group(group)
            if low is not None:
                rows = rows.filter(pc.greater_equal(rows[column], low))
            if high is not None:
                rows = rows.filter(pc.less(rows[column], high))
            yield rows


def _unique(rows: pa.Table, name: str) -> pa.Table:
    """Sorted `rows` without those whose whole key equals that of the row before."""
    if rows.num_rows < 2:
        return rows
    same: pa.ChunkedArray | None = None
    for column in TABLES[name].key:
        values = rows[column].combine_chunks()
        equal = pc.equal(values.slice(1), values.slice(0, len(values) - 1))
        same = equal if same is None else pc.and_(same, equal)
    keep = pa.concat_arrays([pa.array([True]), pc.invert(same)])
    return rows.filter(keep)
