"""Reads what `export_batches` wrote, batch by batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kgbuild.batches.export import ExportManifest
from kgbuild.batches.shard_format import FORMAT, MANIFEST
from kgbuild.errors import TableError


def read_manifest(folder: Path) -> ExportManifest:
    """The manifest of an export.

    Raises:
        TableError: there is none, it is of another format, or files that it names are gone.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise TableError(
            f"{folder} holds no exported batches (no {MANIFEST})", "write them with: kgbuild export FOLDER"
        )
    plain = json.loads(path.read_text(encoding="utf-8"))
    if plain.get("format") != FORMAT:
        raise TableError(f"{path} has the format {plain.get('format')!r}, not {FORMAT!r}", "export the batches again")
    manifest = ExportManifest(**plain)
    gone = [shard["file"] for shard in manifest.shards if not (folder / shard["file"]).is_file()]
    if gone:
        raise TableError(f"{folder} lacks {gone}", "export the batches again")
    return manifest


def read_batches(folder: Path, *, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The batches of an export in order, each a table with the columns of `shard_format.ROW_SCHEMA` (or some of them)."""
    wanted = None if columns is None else list(dict.fromkeys(["batch_id", *columns]))
    for shard in read_manifest(folder).shards:
        rows = pq.read_table(folder / shard["file"], columns=wanted)
        numbers = rows["batch_id"].to_numpy()
        edges = [*np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]]).tolist(), len(numbers)]
        for start, stop in pairwise(edges):
            yield rows.slice(start, stop - start)
