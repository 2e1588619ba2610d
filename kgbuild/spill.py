"""Sorting tables that may not fit into memory: sorted runs on disk, then one merge by ranges of the key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgbuild.tables import TABLES, in_order

BUDGET_BYTES: Final = 256 << 20
_RUN_ROW_GROUP: Final = 4_096


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
        self._runs: list[Path] = []

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
        run = self._scratch / f"run-{len(self._runs):05d}.parquet"
        pq.write_table(self._sorted_held(), run, row_group_size=_RUN_ROW_GROUP, compression="lz4")
        self._runs.append(run)

    def _bounds(self) -> list[str]:
        """Keys that cut all runs into ranges of about the budget each."""
        total = sum(pq.read_metadata(run).row_group(g).total_byte_size for run in self._runs for g in _groups(run))
        n_ranges = max(1, -(-total // self._budget))
        starts = sorted(
            pq.read_metadata(run).row_group(g).column(0).statistics.min for run in self._runs for g in _groups(run)
        )
        return sorted({starts[len(starts) * i // n_ranges] for i in range(1, n_ranges)})


def _groups(run: Path) -> range:
    return range(pq.read_metadata(run).num_row_groups)


def _between(run: Path, column: str, low: str | None, high: str | None) -> Iterator[pa.Table]:
    """The rows of a run with low <= key < high."""
    with pq.ParquetFile(run) as parquet:
        for group in range(parquet.metadata.num_row_groups):
            stats = parquet.metadata.row_group(group).column(0).statistics
            if (high is not None and stats.min >= high) or (low is not None and stats.max < low):
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
