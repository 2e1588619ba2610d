"""Embedding tables, products, texts and images put side by side: which row is whose, in a defined order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import ConfigError, TableError
from kgbuild.identity import content_id
from kgbuild.ports import Embeddings


@dataclass(frozen=True)
class Vectors:
    """Rows of one kind: the product (or the query) each belongs to, and its embedding, (n, d) float32, L2-normalised."""

    keys: tuple[str, ...]
    embeddings: Embeddings

    def take(self, places: npt.NDArray[np.int64]) -> Vectors:
        """Some of the rows, in the order of `places`."""
        return Vectors(tuple(self.keys[place] for place in places), self.embeddings[places])


def query_id(text: str) -> str:
    """The id under which the embedding of a query text is looked up."""
    return content_id("query", text)


def one_text_a_product(products: pa.Table, texts: pa.Table, field: str) -> dict[str, str]:
    """product_id -> its text of that field (the first by text_id where there are several), in the order of product ids.

    Raises:
        ConfigError: no text of any of these products has that field.
    """
    known = products["product_id"]
    wanted = texts.filter(
        pc.and_(pc.equal(texts["field"], field), pc.is_in(texts["product_id"], value_set=_flat(known)))
    )
    if not wanted.num_rows:
        fields = ", ".join(sorted(set(pc.unique(texts["field"]).to_pylist()))) or "none"
        raise ConfigError(f"no product has a text of the field {field!r}", f"the texts have the fields: {fields}")
    ordered = wanted.sort_by([("product_id", "ascending"), ("text_id", "ascending")])
    found: dict[str, str] = {}
    for product, text in zip(ordered["product_id"].to_pylist(), ordered["text"].to_pylist(), strict=True):
        found.setdefault(product, text)
    return found


def query_table(texts: Sequence[str]) -> pa.Table:
    """Distinct texts with their ids, ordered by id: what an encoder has to embed."""
    rows = sorted({query_id(text): text for text in texts}.items())
    return pa.table({"id": [key for key, _ in rows], "text": [text for _, text in rows]}, pa.schema(_QUERY_FIELDS))


_QUERY_FIELDS = [pa.field("id", pa.string(), nullable=False), pa.field("text", pa.string(), nullable=False)]


def text_vectors(keys: Sequence[str], texts: Sequence[str], embeddings: pa.Table) -> Vectors:
    """The embedding of each text, looked up by `query_id`.

    Raises:
        TableError: a text has no embedding.
    """
    places = {key: place for place, key in enumerate(embeddings["id"].to_pylist())}
    ids = [query_id(text) for text in texts]
    absent = [text for text, key in zip(texts, ids, strict=True) if key not in places]
    if absent:
        raise TableError(
            f"{len(absent)} of {len(texts)} query texts have no embedding, the first is {absent[0][:80]!r}",
            "embed the rows of texts_to_embed(...) of the same protocol and field",
        )
    return Vectors(tuple(keys), _matrix(embeddings)[[places[key] for key in ids]])


def image_vectors(products: pa.Table, images: pa.Table, embeddings: pa.Table) -> Vectors:
    """The embeddings of these products' images in the order of image ids; images without one stay out of the gallery.

    Raises:
        TableError: none of the images has an embedding.
    """
    own = images.filter(pc.is_in(images["product_id"], value_set=_flat(products["product_id"])))
    places = pc.index_in(own["image_id"], value_set=_flat(embeddings["id"]))
    own = own.select(["image_id", "product_id"]).append_column("place", places).filter(pc.is_valid(places))
    if not own.num_rows:
        raise TableError("none of the images has an embedding", "run the stage image_embeddings on this release")
    own = own.sort_by([("image_id", "ascending")])
    return Vectors(tuple(own["product_id"].to_pylist()), _matrix(embeddings)[own["place"].to_numpy()])


def product_vectors(texts: Vectors, images: Vectors, *, image_weight: float) -> Vectors:
    """One vector a product: normalise(w * mean of its images + (1 - w) * its text); products lacking either are left out."""
    rows = {key: row for row, key in enumerate(texts.keys)}
    owner = np.array([rows.get(key, -1) for key in images.keys], dtype=np.int64)
    sums = np.zeros((len(rows), images.embeddings.shape[1]), dtype=np.float64)
    np.add.at(sums, owner[owner >= 0], images.embeddings[owner >= 0])
    has = np.flatnonzero(np.bincount(owner[owner >= 0], minlength=len(rows)))
    mixed = image_weight * normalise(sums[has]) + (1 - image_weight) * texts.embeddings[has]
    return Vectors(tuple(texts.keys[row] for row in has), normalise(mixed).astype(np.float32))


def normalise(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rows scaled to length one; a zero row stays zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: npt.NDArray[np.float64] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled


def _matrix(embeddings: pa.Table) -> Embeddings:
    """(n, d) float32 without copying more than once. Raises TableError when rows are ragged or not L2-normalised."""
    column = embeddings["embedding"].combine_chunks()
    if not len(column):
        return np.empty((0, 0), dtype=np.float32)
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if len(set(pc.unique(pc.list_value_length(column)).to_pylist())) != 1:
        raise TableError("the embeddings differ in length", "they come from more than one model: embed again")
    matrix: Embeddings = np.asarray(flat, dtype=np.float32).reshape(len(column), -1)
    lengths = np.linalg.norm(matrix, axis=1)
    worst = float(np.max(np.abs(lengths - 1.0)))
    if not worst < 1e-2:
        raise TableError(
            f"an embedding has length {lengths[np.argmax(np.abs(lengths - 1.0))]:.3f}, not 1", "L2-normalise"
        )
    return matrix


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
