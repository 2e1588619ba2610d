"""A map stage: its table in shards, each worked on by itself, results put together in order.

A shard's result is a file that appears when it is whole, so an interrupted run goes on where it stopped. Rows that the base
release has worked on already are taken over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgbuild.config import Config
from kgbuild.stages import PIPELINE, Stage, rows_between
from kgbuild.table_files import TableFolder
from kgbuild.tables import TABLES, conform, count_reasons, in_order


@dataclass(frozen=True)
class ShardTask:
    """One shard of a map stage: rows start..stop of its table, in `folder`; `base` is a release whose rows may be taken over."""

    stage: str
    config: Config
    folder: Path
    base: Path | None
    stale_products: frozenset[str]
    start: int
    stop: int
    parts: Path

    def part(self, output: str) -> Path:
        """Where an output of this shard lies when it is done."""
        return self.parts / f"{output.replace('/', '-')}.{self.start:012d}.parquet"


@dataclass(frozen=True)
class ShardResult:
    """What a finished shard made."""

    task: ShardTask
    rows: int
    rejects: Mapping[str, int]
    reused: int


def run_shard(task: ShardTask) -> ShardResult:
    """Work on one shard, or find that an interrupted run has done so already. Runs in a worker process."""
    stage = next(stage for stage in PIPELINE if stage.name == task.stage)
    assert stage.shard_by is not None
    rejects_output = next((output for output in stage.writes if output.startswith("rejects/")), None)
    outputs = [output for output in stage.writes if output != rejects_output] + (
        [rejects_output] if rejects_output else []
    )
    rows = task.stop - task.start
    if all(task.part(output).exists() for output in outputs):
        rejects = count_reasons(pq.read_table(task.part(rejects_output))) if rejects_output else {}
        return ShardResult(task, rows, rejects, 0)
    folder = TableFolder(task.folder)
    shard = _slice(folder, stage.shard_by, task.start, task.stop)
    key = TABLES[stage.shard_by].key[0]
    known = _known_keys(task, stage, shard, key)
    fresh = shard.filter(pc.invert(pc.is_in(shard[key], value_set=known)))
    made = stage.fn(fresh, folder, task.config) if fresh.num_rows or not len(known) else {}
    rejects = {}
    for output in outputs:
        found = (made.get(output), _old_rows(task, stage, output, known))
        pieces = [conform(piece, output.partition("/")[0]) for piece in found if piece is not None]
        metadata = pieces[0].schema.metadata
        table = ordered(pa.concat_tables([piece.replace_schema_metadata(metadata) for piece in pieces]), output)
        rejects = count_reasons(table) if output == rejects_output else rejects
        _write_part(task.part(output), table)
    return ShardResult(task, rows, rejects, len(known))


def _known_keys(task: ShardTask, stage: Stage, shard: pa.Table, key: str) -> pa.Array:
    """Keys of the shard's rows that the base release has worked on already, under an unchanged product."""
    if task.base is None:
        return pa.array([], pa.string())
    assert stage.shard_by is not None
    before = rows_between(TableFolder(task.base), stage.shard_by, key, shard[key])
    stale = pa.array(sorted(task.stale_products), pa.string())
    before = before.filter(pc.invert(pc.is_in(before["product_id"], value_set=stale)))
    both = shard.filter(pc.is_in(shard[key], value_set=before[key].combine_chunks()))
    return both[key].combine_chunks()


def _old_rows(task: ShardTask, stage: Stage, output: str, known: pa.Array) -> pa.Table | None:
    if task.base is None or len(known) == 0:
        return None
    column = "key" if output.startswith("rejects/") else stage.row_key
    base = TableFolder(task.base)
    rows = pq.read_table(base.location(output)) if column == "key" else rows_between(base, output, column, known)
    return rows.filter(pc.is_in(rows[column], value_set=known))


def _slice(folder: TableFolder, name: str, start: int, stop: int) -> pa.Table:
    """Rows start..stop of a table, reading only the row groups that hold them."""
    with pq.ParquetFile(folder.location(name)) as parquet:
        groups: list[int] = []
        first = offset = 0
        for group in range(parquet.metadata.num_row_groups):
            n = parquet.metadata.row_group(group).num_rows
            if offset + n > start and offset < stop:
                first = offset if not groups else first
                groups.append(group)
            offset += n
        return parquet.read_row_groups(groups).slice(start - first, stop - start)


def ordered(rows: pa.Table, output: str) -> pa.Table:
    """Rows of an output (`concepts`, or a part such as `rejects/ingest`) in the order of its table's key."""
    return in_order(rows, output.partition("/")[0])


def _write_part(path: Path, rows: pa.Table) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    pq.write_table(rows, temporary, compression="lz4")
    temporary.replace(path)


def parts_in_order(done: Sequence[ShardResult], output: str) -> Iterator[pa.Table]:
    """An output of all shards, piece by piece, in the order of its table's key."""
    if output.startswith("rejects/"):  # few rows, and keyed otherwise than the shards
        yield (
            ordered(pa.concat_tables([pq.read_table(result.task.part(output)) for result in done]), output)
            if done
            else (TABLES["rejects"].schema.empty_table())
        )
        return
    for result in done:
        yield pq.read_table(result.task.part(output))


def part_metadata(done: Sequence[ShardResult], output: str) -> dict[bytes, bytes] | None:
    """The schema metadata (model, dim) that the shards of an output carry."""
    if not done or output.startswith("rejects/"):
        return None
    metadata: dict[bytes, bytes] | None = pq.read_schema(done[0].task.part(output)).metadata
    return metadata


def changed_products(before: TableFolder, now: TableFolder) -> frozenset[str]:
    """Ids of products that both have, with different rows."""
    hashes = dict(_product_hashes(before))
    return frozenset(key for key, value in _product_hashes(now) if hashes.get(key, value) != value)


def _product_hashes(folder: TableFolder) -> Iterator[tuple[str, int]]:
    for rows in folder.batches("products"):
        for row in rows.to_pylist():
            yield row["product_id"], hash(repr(row))
