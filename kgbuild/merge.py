"""The first stage: a catalogue's rows in the order of their keys, merged with the products of a base release if there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgbuild.config import CatalogueConfig, Config, config_to_dict
from kgbuild.errors import CatalogueError
from kgbuild.identity import fingerprint
from kgbuild.ports import Progress
from kgbuild.release import Release
from kgbuild.spill import SortedTable
from kgbuild.stages import INGEST, INGEST_CODE, INGEST_TABLES, code_fingerprint
from kgbuild.table_files import TableInfo, write_table
from kgbuild.tables import conform, count_reasons


@dataclass(frozen=True)
class Source:
    """Where the products come from: the catalogue alone, the current release and new products, or the current release."""

    catalogue: CatalogueConfig | None
    base: Release | None = None

    def fingerprint(self, config: Config) -> str:
        """A hash over the content of the source and the settings of ingest."""
        parts = [code_fingerprint(*INGEST_CODE), config.section_fingerprint("ingest")]
        if self.catalogue is not None:
            from kgbuild.ingest import catalogue_fingerprint

            columns = config_to_dict(replace(config, catalogue=self.catalogue))["catalogue"]["columns"]
            parts += [catalogue_fingerprint(self.catalogue), fingerprint(columns)]
        if self.base is not None:
            outputs = self.base.manifest.stages[INGEST].outputs
            parts += [outputs[name].sha256 for name in INGEST_TABLES]
        return fingerprint(parts)


def ingest_tables(config: Config, source: Source, folder: Path, progress: Progress) -> dict[str, TableInfo]:
    """Read the catalogue and write the ingest tables in the order of their keys; with a base, merged with its tables."""
    from kgbuild.ingest import ingest_catalogue

    assert source.catalogue is not None
    scratch = folder / "ingest.parts"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    names = [output.partition("/")[0] for output in INGEST_TABLES]
    sorters = {name: SortedTable(name, scratch) for name in names}
    new_ids: set[str] = set()
    try:
        for piece in ingest_catalogue(source.catalogue, config.ingest):
            for name, rows in zip(names, piece, strict=True):
                sorters[name].add(rows)
            new_ids.update(piece.products["product_id"].to_pylist())
            progress.advance(INGEST, piece.products.num_rows, count_reasons(piece.rejects))
        if source.base is not None:
            _add_base(source.base, sorters, new_ids)
        outputs = {}
        used: set[str] = set()
        for output, name in sorted(zip(INGEST_TABLES, names, strict=True), key=lambda pair: pair[1] == "pictures"):
            pieces: Iterable[pa.Table] = sorters[name].pieces()
            if name == "images":
                pieces = _remember(pieces, used)
            if name == "pictures" and source.base is not None:
                pieces = _only(pieces, used)  # pictures of replaced products may have no image any more
            outputs[output] = write_table(folder, output, pieces)
    finally:
        for sorter in sorters.values():
            sorter.__exit__(None, None, None)
        shutil.rmtree(scratch, ignore_errors=True)
    if outputs["products"].rows == 0:
        raise CatalogueError(
            f"{source.catalogue.path} gave no usable product; {outputs['rejects/ingest'].rows} rows were rejected",
            "check the mapping under [catalogue.columns]; kgbuild init shows what the columns hold",
        )
    return outputs


def _add_base(base: Release, sorters: dict[str, SortedTable], replaced: set[str]) -> None:
    gone = pa.array(sorted(replaced), pa.string())
    for name in ("products", "texts", "images"):
        for rows in base.batches(name):
            sorters[name].add(conform(rows.filter(pc.invert(pc.is_in(rows["product_id"], value_set=gone))), name))
    for rows in base.batches("pictures", rows=1_024):
        sorters["pictures"].add(conform(rows, "pictures"))
    rejects = pq.read_table(base.location("rejects/ingest"))
    sorters["rejects"].add(rejects.filter(pc.invert(pc.is_in(rejects["key"], value_set=gone))))


def _remember(pieces: Iterable[pa.Table], used: set[str]) -> Iterator[pa.Table]:
    for rows in pieces:
        used.update(rows["sha256"].to_pylist())
        yield rows


def _only(pieces: Iterable[pa.Table], used: set[str]) -> Iterator[pa.Table]:
    wanted = pa.array(sorted(used), pa.string())
    for rows in pieces:
        yield rows.filter(pc.is_in(rows["sha256"], value_set=wanted))
