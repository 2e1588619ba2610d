"""Tables of images, concepts or texts -> tables of embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.embeddings.cache import EmbeddingCache, text_key
from kgbuild.errors import ConfigError, ModelError
from kgbuild.pictures import PictureError
from kgbuild.ports import Embeddings, Encoder
from kgbuild.tables import in_order, reject_rows
from kgbuild.vectors import embedding_table

T = TypeVar("T")

SPAN: Final = 8  # batches a call of the encoder: it decodes and computes side by side within a call


def embed_images(
    images: pa.Table, pictures: pa.Table, *, encoder: Encoder, batch_size: int, cache: EmbeddingCache | None = None
) -> tuple[pa.Table, pa.Table]:
    """Embed a shard of images; a picture that several of them share is computed once.

    Args:
        images: rows of the table `images`; sha256 may be null in none.
        pictures: rows of the table `pictures` that hold (at least) these images' bytes.
        encoder: the model.
        batch_size: pictures a forward pass.
        cache: of kind "images", by sha256; what it lacks is added.

    Returns:
        (image_embeddings, rejects): an image is in one of them. Reasons: picture_missing, picture_undecodable.
    """
    hashes = pc.unique(images["sha256"].combine_chunks())
    places = pc.index_in(hashes, value_set=pictures["sha256"].combine_chunks())
    problems = dict.fromkeys(
        hashes.filter(pc.is_null(places)).to_pylist(),
        ("picture_missing", "the table pictures has no row of this sha256"),
    )
    wanted = [
        (digest, place)
        for digest, place in zip(hashes.to_pylist(), places.to_pylist(), strict=True)
        if place is not None
    ]
    done: dict[str, int] = {}
    blocks: list[Embeddings] = [np.empty((0, encoder.dim), np.float32)]
    column = pictures["image"]
    for span in _spans(wanted, batch_size * SPAN):
        rows = {digest: column[place].as_py() for digest, place in _absent(span, cache)}
        embeddings, broken = embed_pictures(list(rows.values()), encoder)
        keys = list(rows)
        problems |= {keys[index]: ("picture_undecodable", reason) for index, reason in broken.items()}
        good = [key for index, key in enumerate(keys) if index not in broken]
        merged_keys, merged = _with_cached([digest for digest, _ in span], good, embeddings, cache)
        done |= {key: len(done) + index for index, key in enumerate(merged_keys)}
        blocks.append(merged)
    matrix = np.concatenate(blocks)
    owners = images["sha256"].to_pylist()
    embedded = [row for row, digest in enumerate(owners) if digest in done]
    rejects = [
        (image_id, *problems[digest])
        for image_id, digest in zip(images["image_id"].to_pylist(), owners, strict=True)
        if digest in problems
    ]
    table = embedding_table(
        "image_embeddings",
        images["image_id"].combine_chunks().take(pa.array(embedded, pa.int64())),
        matrix[[done[owners[row]] for row in embedded]],
        model=encoder.model,
        fingerprint=encoder.fingerprint,
    )
    return in_order(table, "image_embeddings"), in_order(reject_rows("image_embeddings", rejects), "rejects")


def embed_pictures(pictures: Sequence[bytes], encoder: Encoder) -> tuple[Embeddings, dict[int, str]]:
    """Embed the pictures that can be decoded; the others' indices and reasons. Rows follow the order of the good ones."""
    try:
        return encoder.encode_images(pictures), {}
    except PictureError as error:
        good = [picture for index, picture in enumerate(pictures) if index not in error.reasons]
        return encoder.encode_images(good), error.reasons


def embed_texts(
    texts: Sequence[str], *, encoder: Encoder, batch_size: int, cache: EmbeddingCache | None = None
) -> Embeddings:
    """Embed texts, (n, dim), each distinct one once; `cache` is of kind "texts", by `text_key`."""
    distinct = list(dict.fromkeys(texts))
    place = {text: row for row, text in enumerate(distinct)}
    keys = [text_key(text) for text in distinct]
    held, matrix = (
        cache.get(keys)
        if cache is not None
        else (np.zeros(len(keys), np.bool_), np.zeros((len(keys), encoder.dim), np.float32))
    )
    for rows in _spans(np.flatnonzero(~held).tolist(), batch_size * SPAN):
        matrix[rows] = encoder.encode_texts([distinct[row] for row in rows])
        if cache is not None:  # an empty cache is false
            cache.put([keys[row] for row in rows], matrix[rows])
    return matrix[[place[text] for text in texts]]


def embed_concepts(
    concepts: pa.Table,
    *,
    encoder: Encoder,
    prompts: Sequence[str],
    batch_size: int,
    cache: EmbeddingCache | None = None,
) -> pa.Table:
    """Embed concepts: the mean over the prompts' embeddings, L2-normalised again.

    Args:
        concepts: rows of the table `concepts`.
        encoder: the model.
        prompts: texts in which `{concept}` stands for the label.
        batch_size: texts a forward pass.
        cache: as `embed_texts`.

    Raises:
        ConfigError: there is no prompt, or one has no `{concept}`.
    """
    wrong = [prompt for prompt in prompts if "{concept}" not in prompt]
    if wrong or not prompts:
        named = f"the prompt {wrong[0]!r} has no {{concept}}" if wrong else "encoder.prompts is empty"
        raise ConfigError(named, 'for example: prompts = ["a photo of {concept}"]')
    labels = concepts["label"].to_pylist()
    blocks = [np.empty((0, encoder.dim), np.float32)]
    for span in _spans(labels, max(1, batch_size * SPAN // len(prompts))):
        texts = [prompt.replace("{concept}", label) for label in span for prompt in prompts]
        embeddings = embed_texts(texts, encoder=encoder, batch_size=batch_size, cache=cache)
        blocks.append(_mean_direction(embeddings.reshape(len(span), len(prompts), -1)))
    table = embedding_table(
        "concept_embeddings",
        concepts["concept_id"].combine_chunks(),
        np.concatenate(blocks),
        model=encoder.model,
        fingerprint=encoder.fingerprint,
    )
    return in_order(table, "concept_embeddings")


def _mean_direction(embeddings: npt.NDArray[np.float32]) -> Embeddings:
    """(n, p, d) -> (n, d): the mean over the middle axis, scaled to length one."""
    mean = embeddings.astype(np.float64).mean(axis=1)
    lengths = np.sqrt((mean * mean).sum(axis=-1, keepdims=True))
    if np.any(lengths < 1e-6):
        raise ModelError("the prompts of a concept cancel each other out", "use fewer or other encoder.prompts")
    return (mean / lengths).astype(np.float32)


def _absent(span: Sequence[tuple[str, int]], cache: EmbeddingCache | None) -> list[tuple[str, int]]:
    if cache is None:
        return list(span)
    held, _ = cache.get([digest for digest, _ in span])
    return [item for item, known in zip(span, held, strict=True) if not known]


def _with_cached(
    wanted: Sequence[str], computed: Sequence[str], embeddings: Embeddings, cache: EmbeddingCache | None
) -> tuple[Sequence[str], Embeddings]:
    """Keys and rows of all of `wanted` that could be embedded now or before."""
    if cache is None:
        return computed, embeddings
    cache.put(computed, embeddings)
    held, rows = cache.get(wanted)
    return [key for key, known in zip(wanted, held, strict=True) if known], rows[held]


def _spans(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
