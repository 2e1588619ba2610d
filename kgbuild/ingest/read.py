"""Reads a catalogue's rows from Parquet, CSV and JSON Lines: a file or a folder of them, local or behind an fsspec URL, in flat memory.

A catalogue that cannot be read at all raises `CatalogueError`; a single bad line becomes a reject named by its file and line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from kgbuild.config import CatalogueConfig
from kgbuild.errors import CatalogueError
from kgbuild.ingest.files import CatalogueFile, catalogue_files, open_parquet, open_text

Row = dict[str, object]
Reject = tuple[str, str, str]

HEAD_ROWS: Final = 1000
"""JSON Lines have no header: a mapped column must occur in so many first rows of a file."""
_LONGEST_FIELD: Final = 1 << 26
_DELIMITERS: Final = ",;\t|"


@dataclass
class RowBatch:
    """Rows as plain values, the place of each (file:line, or file:row for Parquet), and what could not be read between them."""

    rows: list[Row] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def add(self, row: Row, place: str) -> None:
        """Append one row."""
        self.rows.append(row)
        self.places.append(place)


def read_rows(catalogue: CatalogueConfig, *, batch_rows: int = 512) -> Iterator[RowBatch]:
    """The rows of a catalogue, files in the order of their names; CSV cells that are empty are None.

    Raises:
        CatalogueError: nothing is there, its format is unknown, it holds no row, or it lacks a mapped column.
        MissingExtraError: the path is a URL whose fsspec backend is not installed.
    """
    files = catalogue_files(catalogue)
    wanted = mapped_columns(catalogue)
    _check_columns(files, wanted, catalogue)
    empty = True
    for file in files:
        for batch in _READERS[file.format](file, batch_rows, wanted):
            empty = empty and not batch.rows and not batch.rejects
            yield batch
    if empty:
        raise CatalogueError(
            f"the catalogue {catalogue.path} has no rows", "export it again, or point catalogue.path elsewhere"
        )


def mapped_columns(catalogue: CatalogueConfig) -> tuple[str, ...]:
    """The columns that the mapping names, each once."""
    columns = catalogue.columns
    named = (
        columns.id,
        columns.title,
        *columns.texts,
        *columns.images,
        columns.brand,
        *columns.category,
        *columns.attributes,
        columns.split,
    )
    return tuple(dict.fromkeys(name for name in named if name))


def column_names(file: CatalogueFile, *, head_rows: int = HEAD_ROWS) -> list[str]:
    """The columns of one file: of its schema, its header, or its first rows."""
    if file.format == "parquet":
        with open_parquet(file) as parquet:
            return list(parquet.schema_arrow.names)
    if file.format == "csv":
        with open_text(file) as stream:
            return next(_csv_reader(stream), [])
    names: dict[str, None] = {}
    for batch in islice(_read_json_lines(file, 1, ()), head_rows):
        names.update(dict.fromkeys(key for row in batch.rows for key in row))
    return list(names)


def _check_columns(files: Sequence[CatalogueFile], wanted: Sequence[str], catalogue: CatalogueConfig) -> None:
    if not catalogue.columns.id:
        raise CatalogueError("catalogue.columns.id is empty", "name the column that holds the product's id")
    tables = [(file, column_names(file)) for file in files if file.format != "jsonl"]
    lines = [file for file in files if file.format == "jsonl"]
    if lines:  # a key that no row of one file has may still come in the next
        tables.append((lines[0], list(dict.fromkeys(name for file in lines for name in column_names(file)))))
    for file, present in tables:
        for name in wanted:
            if present and name not in present:
                raise CatalogueError(f"{file.name} has no column {name!r}", _nearest_column(name, present))


def _nearest_column(name: str, present: Sequence[str]) -> str:
    lowered = {column.lower(): column for column in present}
    near = get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.4)
    there = ", ".join(present[:20])
    return f"did you mean {lowered[near[0]]!r}? it has: {there}" if near else f"it has: {there}"


def _read_parquet(file: CatalogueFile, batch_rows: int, wanted: Sequence[str]) -> Iterator[RowBatch]:
    with open_parquet(file) as parquet:
        columns = [name for name in parquet.schema_arrow.names if name in wanted] if wanted else None
        number = 0
        for part in parquet.iter_batches(batch_size=batch_rows, columns=columns):
            places = [f"{file.name}:{number + index}" for index in range(1, part.num_rows + 1)]
            number += part.num_rows
            yield RowBatch(_rows_of(part), places)


def _rows_of(part: pa.RecordBatch) -> list[Row]:
    try:
        return part.to_pylist()
    except UnicodeDecodeError:  # Parquet does not check that its strings are UTF-8
        texts = {f.name for f in part.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)}
        arrays = [part[name].cast(pa.binary()) if name in texts else part[name] for name in part.schema.names]
        rows: list[Row] = pa.RecordBatch.from_arrays(arrays, names=part.schema.names).to_pylist()
        return [
            {
                k: v.decode("utf-8", "surrogateescape") if k in texts and isinstance(v, bytes) else v
                for k, v in row.items()
            }
            for row in rows
        ]


def _csv_reader(stream: io.TextIOWrapper) -> Any:
    csv.field_size_limit(_LONGEST_FIELD)
    header = stream.readline()
    stream.seek(0)
    delimiter = max(_DELIMITERS, key=header.count)
    return csv.reader(stream, delimiter=delimiter, strict=False)


def _read_csv(file: CatalogueFile, batch_rows: int, _wanted: Sequence[str]) -> Iterator[RowBatch]:
    batch = RowBatch()
    with open_text(file) as stream:
        reader = _csv_reader(stream)
        header: list[str] = next(reader, [])
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                batch.rejects.append((f"{file.name}:{reader.line_num}", "row_broken", str(error)))
                continue
            place = f"{file.name}:{reader.line_num}"
            if not any(cells):
                continue
            if len(cells) != len(header):
                batch.rejects.append((place, "row_broken", f"{len(cells)} cells where the header has {len(header)}"))
                continue
            batch.add({name: cell or None for name, cell in zip(header, cells, strict=True)}, place)
            if len(batch.rows) >= batch_rows:
                yield batch
                batch = RowBatch()
    yield batch


def _read_json_lines(file: CatalogueFile, batch_rows: int, _wanted: Sequence[str]) -> Iterator[RowBatch]:
    batch = RowBatch()
    with open_text(file) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            if number == 1 and line.lstrip().startswith("["):
                raise CatalogueError(
                    f"{file.path} is one JSON array",
                    "write one JSON object a line, for example: jq -c '.[]' FILE > FILE.jsonl",
                )
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                batch.rejects.append((f"{file.name}:{number}", "row_broken", f"no JSON: {error}"))
                continue
            if not isinstance(row, dict):
                batch.rejects.append(
                    (f"{file.name}:{number}", "row_broken", f"no JSON object but {type(row).__name__}")
                )
                continue
            batch.add(row, f"{file.name}:{number}")
            if len(batch.rows) >= batch_rows:
                yield batch
                batch = RowBatch()
    yield batch


_READERS: Final = {"parquet": _read_parquet, "csv": _read_csv, "jsonl": _read_json_lines}
