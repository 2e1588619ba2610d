"""`kgbuild embed`: a Parquet file of texts or pictures in, a Parquet file of embeddings out, in flat memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from kgbuild.clip import load_clip
from kgbuild.config import EncoderConfig
from kgbuild.embeddings.embed import SPAN, embed_pictures, embed_texts
from kgbuild.errors import CatalogueError, ConfigError, MissingExtraError
from kgbuild.ports import Embeddings, Encoder
from kgbuild.vectors import embedding_rows

Reject = tuple[str, str, str]
KINDS: Final = {"texts": ("text",), "images": ("image", "uri")}


def embed_file(kind: str, source: Path, model: EncoderConfig, output: Path) -> tuple[int, list[Reject]]:
    """Embed the rows of a Parquet file with the columns `id` and `text`, or `id` and `image` (bytes) or `uri`.

    Writes `id` (as it was) and `embedding` (float32, L2-normalised) in the order of the input; the file appears when it is complete.
    A relative `uri` is taken from the input's folder.

    Returns:
        (rows written, rejects): a row that cannot be embedded is left out and named as (id, reason, detail). Reasons: id_missing,
        text_missing, picture_missing, picture_unreachable, picture_undecodable.

    Raises:
        CatalogueError: the input is absent, is no Parquet, or lacks a column.
        ModelError: the model cannot be loaded.
    """
    if kind not in KINDS:
        raise ConfigError(f"cannot embed {kind!r}", f"it is one of: {', '.join(KINDS)}")
    parquet = _open(source)
    column = _column(parquet.schema_arrow, kind, source)
    encoder = load_clip(model)
    rejects: list[Reject] = []
    written = 0
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = output.with_name(f".{output.name}.writing")
    schema = _schema(parquet.schema_arrow.field("id").type, encoder)
    try:
        with pq.ParquetWriter(scratch, schema, compression="zstd") as writer:
            for batch in parquet.iter_batches(model.batch_size * SPAN, columns=["id", column]):
                rows = _embed_batch(batch, column, encoder, model.batch_size, source.parent, rejects)
                writer.write_table(rows.cast(schema))
                written += rows.num_rows
        scratch.replace(output)
    finally:
        scratch.unlink(missing_ok=True)
    return written, rejects


def _open(source: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source)
    except FileNotFoundError:
        raise CatalogueError(f"there is no file {source}", "check the path") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise CatalogueError(f"{source} is no Parquet file: {error}", "kgbuild embed reads Parquet only") from error


def _column(schema: pa.Schema, kind: str, source: Path) -> str:
    found = next((name for name in KINDS[kind] if name in schema.names), None)
    if found is None or "id" not in schema.names:
        wanted = " or ".join(KINDS[kind])
        raise CatalogueError(
            f"{source} has the columns {', '.join(schema.names)}", f"kgbuild embed {kind} needs id and {wanted}"
        )
    return found


def _schema(id_type: pa.DataType, encoder: Encoder) -> pa.Schema:
    about = {"model": encoder.model, "dim": str(encoder.dim), "fingerprint": encoder.fingerprint}
    fields = [pa.field("id", id_type, nullable=False), pa.field("embedding", pa.list_(pa.float32()), nullable=False)]
    return pa.schema(fields, metadata=about)


def _embed_batch(
    batch: pa.RecordBatch, column: str, encoder: Encoder, batch_size: int, folder: Path, rejects: list[Reject]
) -> pa.Table:
    ids = batch.column("id").to_pylist()
    values = batch.column(column).to_pylist()
    usable: list[int] = []
    things: list[str | bytes] = []
    for row, (key, value) in enumerate(zip(ids, values, strict=True)):
        thing = _usable(key, value, column, folder, rejects)
        if thing is not None:
            usable.append(row)
            things.append(thing)
    if column == "text":
        matrix = embed_texts([str(thing) for thing in things], encoder=encoder, batch_size=batch_size)
    else:
        matrix, usable = _embed_usable(things, usable, ids, encoder, rejects)
    kept = batch.column("id").take(pa.array(usable, pa.int64()))
    return pa.table({"id": kept, "embedding": embedding_rows([""] * len(kept), matrix)["embedding"]})


def _embed_usable(
    things: Sequence[str | bytes], rows: Sequence[int], ids: Sequence[object], encoder: Encoder, rejects: list[Reject]
) -> tuple[Embeddings, list[int]]:
    matrix, broken = embed_pictures([thing for thing in things if isinstance(thing, bytes)], encoder)
    rejects.extend((str(ids[rows[index]]), "picture_undecodable", reason) for index, reason in sorted(broken.items()))
    return matrix, [row for index, row in enumerate(rows) if index not in broken]


def _usable(key: object, value: object, column: str, folder: Path, rejects: list[Reject]) -> str | bytes | None:
    """The text, or the picture's bytes; None when there is none, which `rejects` then says."""
    if isinstance(value, dict):  # a struct with the bytes inside, as some data sets have it
        value = value.get("bytes")
    missing = "text_missing" if column == "text" else "picture_missing"
    if key is None:
        rejects.append(("", "id_missing", f"{column}: {str(value)[:80]}"))
        return None
    if value is None or (column != "text" and not value):
        rejects.append((str(key), missing, f"{column} is null or empty"))
        return None
    if column != "uri":
        return value if isinstance(value, (str, bytes)) else str(value)
    try:
        return _read(str(value), folder)
    except _fetch_errors() as error:
        rejects.append((str(key), "picture_unreachable", f"{value}: {error}"))
        return None


def _read(uri: str, folder: Path) -> bytes:
    place = uri if "://" in uri else str(folder / uri)
    try:
        with fsspec.open(place, "rb") as stream:
            return bytes(stream.read())
    except ImportError as error:
        raise MissingExtraError(error.name or uri.partition("://")[0], "urls") from error


def _fetch_errors() -> tuple[type[Exception], ...]:
    """What reading a place can raise; fsspec's HTTP client, where it is installed, has errors of its own."""
    try:
        from aiohttp import ClientError
    except ImportError:
        return (OSError, ValueError)
    return (OSError, ValueError, ClientError)
