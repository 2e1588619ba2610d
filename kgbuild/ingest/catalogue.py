"""From a catalogue's rows to the tables products, texts, images, pictures and rejects, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

import pyarrow as pa

from kgbuild.config import CatalogueConfig, IngestConfig
from kgbuild.identity import image_id, text_id
from kgbuild.ingest.boilerplate import split_sections
from kgbuild.ingest.pictures import PictureError, Source, check_picture, fetch_all, sources_of
from kgbuild.ingest.read import Reject, Row, RowBatch, read_rows
from kgbuild.ingest.repair import repair_line, repair_text
from kgbuild.ingest.values import attributes_of, category_path, cell_line, cell_text
from kgbuild.tables import TABLES, conform, reject_rows

STAGE = "ingest"


class Ingested(NamedTuple):
    """The tables of one batch of products, conformed. Ids are unique over all batches of a catalogue, and so are pictures."""

    products: pa.Table
    texts: pa.Table
    images: pa.Table
    pictures: pa.Table
    rejects: pa.Table


@dataclass
class _Product:
    """One product on its way: what was read of it, and what was wrong with it."""

    id: str
    place: str
    title: str
    texts: list[tuple[str, str]]
    sources: list[Source]
    row: Row
    rejects: list[Reject] = field(default_factory=list)


@dataclass
class _Tables:
    """Rows of one batch, per table."""

    products: list[Row] = field(default_factory=list)
    texts: list[Row] = field(default_factory=list)
    images: list[Row] = field(default_factory=list)
    pictures: list[Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def ingested(self) -> Ingested:
        tables = {name: _table(getattr(self, name), name) for name in ("products", "texts", "images", "pictures")}
        return Ingested(
            **tables,
            rejects=reject_rows(STAGE, [(_utf8(key), reason, _utf8(detail)) for key, reason, detail in self.rejects]),
        )


def ingest_catalogue(catalogue: CatalogueConfig, ingest: IngestConfig, *, batch_rows: int = 512) -> Iterator[Ingested]:
    """The tables of a catalogue, a batch of rows at a time; memory holds one batch, the ids seen and the hashes of pictures.

    Of rows with the same id the first in reading order (files by name, then rows) stays. Reasons in `rejects`, keyed by product id or
    file:line: row_broken, no_id, duplicate_id, no_title, nothing_usable, text_not_utf8, text_cut, attribute_broken, image_absent,
    image_broken, image_too_small, image_too_large, image_timeout, image_unreachable, image_unreadable, image_repeated.

    Raises:
        CatalogueError: the catalogue cannot be read at all (see `read_rows`).
    """
    seen_ids: set[str] = set()
    seen_pictures: set[bytes] = set()
    for batch in read_rows(catalogue, batch_rows=batch_rows):
        tables = _Tables(rejects=list(batch.rejects))
        products = list(_products(batch, catalogue, ingest, seen_ids, tables.rejects))
        _add_products(products, catalogue, ingest, seen_pictures, tables)
        yield tables.ingested()


def image_root(catalogue: CatalogueConfig) -> str:
    """What image paths are relative to: the configured folder, or the one the catalogue lies in."""
    if catalogue.image_root:
        return catalogue.image_root
    path = catalogue.path.rstrip("/")
    if PurePosixPath(path.removesuffix(".gz")).suffix:
        return path.rpartition("/")[0] or "."
    return path


def _products(
    batch: RowBatch, catalogue: CatalogueConfig, ingest: IngestConfig, seen: set[str], rejects: list[Reject]
) -> Iterator[_Product]:
    for row, place in zip(batch.rows, batch.places, strict=True):
        product_id = repair_line(cell_text(row.get(catalogue.columns.id))[0])
        if not product_id:
            rejects.append((place, "no_id", f"column {catalogue.columns.id} is empty"))
        elif product_id in seen:
            rejects.append((product_id, "duplicate_id", f"{place} repeats an id; the first row with it stays"))
        else:
            seen.add(product_id)
            yield _product(product_id, row, place, catalogue, ingest)


def _product(product_id: str, row: Row, place: str, catalogue: CatalogueConfig, ingest: IngestConfig) -> _Product:
    columns = catalogue.columns
    product = _Product(product_id, place, "", [], [], row)
    title, utf8 = cell_text(row.get(columns.title)) if columns.title else ("", True)
    doubtful = [] if utf8 else [columns.title]
    product.title = _cut(repair_line(title), columns.title, product, ingest)
    for column in columns.texts:
        raw, utf8 = cell_text(row.get(column))
        doubtful += [] if utf8 else [column]
        text = _cut(repair_text(raw[: 4 * ingest.text_max_characters]), column, product, ingest, length=len(raw))
        if text:
            product.texts.append((column, text))
    if doubtful:
        product.rejects.append((product_id, "text_not_utf8", f"{place}: read as Windows-1252: {', '.join(doubtful)}"))
    for column in columns.images:
        where = f"{place.rpartition(':')[0]}#{product_id}/{column}"
        product.sources += sources_of(row.get(column), where=where, root=image_root(catalogue))
    return product


def _cut(text: str, column: str, product: _Product, ingest: IngestConfig, *, length: int = 0) -> str:
    limit = ingest.text_max_characters
    if len(text) <= limit:
        return text
    product.rejects.append(
        (product.id, "text_cut", f"{column}: {max(length, len(text)):,} characters, cut at {limit:,}")
    )
    head = text[:limit]
    return head[: max(head.rfind(" "), head.rfind("\n"), limit // 2)].rstrip()


def _add_products(
    products: list[_Product],
    catalogue: CatalogueConfig,
    ingest: IngestConfig,
    seen_pictures: set[bytes],
    tables: _Tables,
) -> None:
    sources = [source for product in products for source in product.sources]
    fetched = fetch_all(sources, timeout_seconds=ingest.url_timeout_seconds)
    for product in products:
        images, pictures = _images(product, fetched, ingest)
        tables.rejects += product.rejects
        if not (product.title or product.texts or images):
            tables.rejects.append(
                (product.id, "nothing_usable", f"{product.place}: it has neither a text nor a usable picture")
            )
            continue
        tables.rejects += _gaps(product, catalogue)
        tables.products.append(_product_row(product, catalogue, tables.rejects))
        tables.texts += _text_rows(product, ingest)
        tables.images += images
        for sha256, data in pictures.items():
            digest = bytes.fromhex(sha256)
            if digest not in seen_pictures:
                seen_pictures.add(digest)
                tables.pictures.append({"sha256": sha256, "image": data})


def _gaps(product: _Product, catalogue: CatalogueConfig) -> Iterator[Reject]:
    """What a product that stays should have and has not."""
    columns = catalogue.columns
    if columns.title and not product.title:
        yield product.id, "no_title", f"{product.place}: column {columns.title} is empty"
    if columns.images and not product.sources:
        yield product.id, "image_absent", f"{product.place}: no picture in {', '.join(columns.images)}"


def _images(
    product: _Product, fetched: Iterator[bytes | PictureError], ingest: IngestConfig
) -> tuple[list[Row], dict[str, bytes]]:
    """The rows of a product's usable pictures, and the bytes by hash; a picture that it names twice counts once."""
    rows: dict[str, Row] = {}
    pictures: dict[str, bytes] = {}
    for source in product.sources:
        data = next(fetched)
        try:
            if isinstance(data, PictureError):
                raise data
            picture = check_picture(data, max_side=ingest.picture_max_side)
        except PictureError as error:
            product.rejects.append((product.id, error.reason, f"{source.uri}: {error.detail}"))
            continue
        if picture.sha256 in rows:
            product.rejects.append(
                (product.id, "image_repeated", f"{source.uri} has the same bytes as {rows[picture.sha256]['uri']}")
            )
            continue
        pictures[picture.sha256] = picture.data
        rows[picture.sha256] = {
            "image_id": image_id(product.id, picture.sha256), "product_id": product.id, "uri": _utf8(source.uri), "width": picture.width,
            "height": picture.height, "sha256": picture.sha256,
        }  # fmt: skip
    return list(rows.values()), pictures


def _text_rows(product: _Product, ingest: IngestConfig) -> Iterator[Row]:
    found: dict[str, list[str]] = {"title": [product.title]} if product.title else {}
    for column, text in product.texts:
        sections = split_sections(text, column=column) if ingest.split_boilerplate else None
        found.setdefault(column, []).append(sections.text if sections else text)
        for kind, part in (sections.apart if sections else {}).items():
            found.setdefault(f"boilerplate:{kind}", []).append(part)
    for name, parts in found.items():
        text = "\n".join(part for part in parts if part)
        if text:
            yield {"text_id": text_id(product.id, name, text), "product_id": product.id, "field": name, "text": text}


def _product_row(product: _Product, catalogue: CatalogueConfig, rejects: list[Reject]) -> Row:
    columns, row = catalogue.columns, product.row
    return {
        "product_id": product.id,
        "title": product.title,
        "brand": cell_line(row.get(columns.brand)) or None,
        "category_path": list(category_path(row, catalogue)),
        "attributes": sorted(attributes_of(row, columns.attributes, product.id, rejects).items()),
        "split": cell_line(row.get(columns.split)) or None,
    }


def _utf8(text: str) -> str:
    """File names that are not UTF-8 are read with escapes, which Arrow does not take."""
    return text.encode("utf-8", "replace").decode()


def _table(rows: list[Row], name: str) -> pa.Table:
    return conform(pa.Table.from_pylist(rows, schema=TABLES[name].schema), name)
