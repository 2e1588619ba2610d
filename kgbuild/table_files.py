"""Tables as Parquet files of a folder: read whole or piece by piece, written atomically, taken over by hard links.

Row groups have a fixed number of rows, so that a table's bytes do not depend on the sizes of the pieces it was written in.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from kgbuild.errors import ReleaseError
from kgbuild.identity import file_sha256
from kgbuild.tables import TABLES, conform

ROW_GROUP_ROWS: Final = 65_536
PICTURE_ROW_GROUP_ROWS: Final = 1_024


@dataclass(frozen=True)
class TableInfo:
    """What the manifest says of one written table (or one part of it)."""

    rows: int
    sha256: str


class TableFolder:
    """Reads the tables of a folder: a release, or one that is being built."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def location(self, output: str) -> Path:
        """Where a table (`concepts`) or a part of one (`rejects/ingest`) lies."""
        name, _, part = output.partition("/")
        folder = self.path / f"{name}.parquet"
        return folder / f"{part}.parquet" if part else folder

    def has(self, output: str) -> bool:
        """Whether the table is there."""
        return self.location(output).exists()

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A whole table in memory. Raises ReleaseError if it is absent."""
        return pq.read_table(self._existing(name), columns=list(columns) if columns else None)

    def schema(self, name: str) -> pa.Schema:
        """A table's schema with its metadata."""
        return pq.read_schema(self._files(name)[0])

    def rows(self, name: str) -> int:
        """A table's row count, from the file's footer."""
        return sum(int(pq.read_metadata(file).num_rows) for file in self._files(name))

    def batches(self, name: str, columns: Sequence[str] | None = None, *, rows: int = 8_192) -> Iterator[pa.Table]:
        """A table piece by piece, in order, each of at most `rows` rows."""
        for file in self._files(name):
            with pq.ParquetFile(file) as parquet:
                for batch in parquet.iter_batches(batch_size=rows, columns=list(columns) if columns else None):
                    yield pa.Table.from_batches([batch])

    def _files(self, name: str) -> list[Path]:
        path = self._existing(name)
        return sorted(path.glob("*.parquet")) if path.is_dir() else [path]

    def _existing(self, name: str) -> Path:
        path = self.location(name)
        if not path.exists():
            raise ReleaseError(f"{self.path} has no table {name}", "build it with: kgbuild build --out DIR")
        return path


def write_table(
    folder: Path, output: str, pieces: Iterable[pa.Table], *, metadata: Mapping[bytes, bytes] | None = None
) -> TableInfo:
    """Write a table (or a part of one) from pieces that come in the order of its key; atomic, and flat in memory."""
    name = output.partition("/")[0]
    path = TableFolder(folder).location(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    group_rows = PICTURE_ROW_GROUP_ROWS if name == "pictures" else ROW_GROUP_ROWS
    schema = TABLES[name].schema.with_metadata(dict(metadata) if metadata else None)
    rows = 0
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for group in _regroup(
                (conform(piece, name).replace_schema_metadata(metadata) for piece in pieces), group_rows
            ):
                writer.write_table(group, row_group_size=group_rows)
                rows += group.num_rows
        sha256 = file_sha256(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return TableInfo(rows, sha256)


def _regroup(pieces: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `rows` rows, the last one excepted."""
    held: list[pa.Table] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.num_rows
        while count >= rows:
            whole = pa.concat_tables(held)
            yield whole.slice(0, rows).combine_chunks()
            held, count = [whole.slice(rows)], count - rows
    if count:
        yield pa.concat_tables(held).combine_chunks()


def link_output(source: TableFolder, target: Path, output: str) -> None:
    """Take over a table of another release without copying its bytes (a hard link, a copy where links are not possible)."""
    origin, place = source.location(output), TableFolder(target).location(output)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    try:
        os.link(origin, place)
    except OSError:  # another file system, or one without links
        shutil.copy2(origin, place)
