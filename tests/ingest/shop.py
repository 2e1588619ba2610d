"""Small catalogues on disk for the tests, and their ingested tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from kgbuild.config import CatalogueConfig, ColumnsConfig, IngestConfig
from kgbuild.ingest import Ingested, ingest_catalogue
from kgbuild.tables import in_order

COLUMNS = ColumnsConfig(
    id="id", title="title", texts=("description",), images=("images",), brand="brand", category=("category",),
    attributes=("gender", "attributes"), split="split",
)  # fmt: skip
FIELDS = ("id", "title", "description", "images", "brand", "category", "gender", "attributes", "split")


def product(number: int, **changes: object) -> dict[str, object]:
    """One good row; its picture is `images/<number>.png`."""
    row: dict[str, object] = {
        "id": f"p{number}", "title": f"Red Shirt {number}", "description": f"A red shirt, number {number}.\nIt has a collar.",
        "images": [f"images/{number}.png"], "brand": "Norvale", "category": "Apparel > Topwear", "gender": "Women",
        "attributes": {"fabric": "cotton", "neck": None}, "split": "train",
    }  # fmt: skip
    return {**row, **changes}


def picture_bytes(
    number: int = 0, *, size: tuple[int, int] = (24, 32), kind: str = "PNG", mode: str = "RGB", **options: object
) -> bytes:
    """A picture whose colours depend on the number."""
    colour = (number * 37 % 256, 90, 200, 128)[: len(Image.new(mode, (1, 1)).getbands())]
    image = Image.new(mode, size, colour if len(colour) > 1 else colour[0])
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def write_pictures(folder: Path, numbers: Iterable[int]) -> None:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / "images" / f"{number}.png").write_bytes(picture_bytes(number))


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], *, delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerow(FIELDS)
        writer.writerows([_cell(row.get(name)) for name in FIELDS] for row in rows)
    return path


def write_parquet(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    plain = [{**row, "attributes": _cell(row.get("attributes")) or None} for row in rows]
    pq.write_table(pa.Table.from_pylist(plain), path, row_group_size=7)
    return path


def ingested(
    path: Path | str, *, batch_rows: int = 512, columns: ColumnsConfig = COLUMNS, root: str = "", **ingest: object
) -> Ingested:
    """All batches of a catalogue put together and sorted, so that two ingests can be compared."""
    catalogue = CatalogueConfig(path=str(path), image_root=root, columns=columns)
    batches = list(ingest_catalogue(catalogue, IngestConfig(**ingest), batch_rows=batch_rows))  # type: ignore[arg-type]
    return Ingested(
        **{name: in_order(pa.concat_tables([getattr(b, name) for b in batches]), name) for name in Ingested._fields}
    )


def rejects_of(tables: Ingested) -> list[tuple[str, str]]:
    return [(row["key"], row["reason"]) for row in tables.rejects.to_pylist()]


def texts_of(tables: Ingested, product_id: str) -> dict[str, str]:
    return {row["field"]: row["text"] for row in tables.texts.to_pylist() if row["product_id"] == product_id}


def _cell(value: object) -> object:
    if isinstance(value, list):
        return "|".join(map(str, value))
    return json.dumps(value) if isinstance(value, dict) else value
