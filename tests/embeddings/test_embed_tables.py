"""Embedding tables: what is in them, what is rejected, and that neither shards, batches nor the cache change a byte."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pyarrow as pa
import pytest
from clip_fixture import write_tiny_clip
from PIL import Image

from kgbuild.clip import load_clip
from kgbuild.config import EncoderConfig
from kgbuild.embeddings import EmbeddingCache, embed_concepts, embed_images, embed_texts
from kgbuild.errors import ConfigError
from kgbuild.identity import image_id
from kgbuild.tables import TABLES, in_order
from kgbuild.vectors import as_matrix


class Counting:
    """An encoder that counts what it is asked to compute."""

    def __init__(self, encoder):
        self._encoder = encoder
        self.model, self.fingerprint, self.dim = encoder.model, encoder.fingerprint, encoder.dim
        self.images = self.texts = 0

    def encode_images(self, images):
        rows = self._encoder.encode_images(images)
        self.images += len(images)
        return rows

    def encode_texts(self, texts):
        self.texts += len(texts)
        return self._encoder.encode_texts(texts)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return load_clip(EncoderConfig(model=str(write_tiny_clip(tmp_path_factory.mktemp("clip"))), device="cpu"))


@pytest.fixture
def encoder(loaded):
    return Counting(loaded)


def png(shade):
    stream = io.BytesIO()
    Image.effect_mandelbrot((12, 16), (-2, -1.5, 1, 1.5), shade + 2).convert("RGB").save(stream, "PNG")
    return stream.getvalue()


def catalogue(n_products=30):
    """Images of products, some sharing a picture; one picture is broken, one absent from `pictures`."""
    shown = {f"p{n}": png(n % 19) for n in range(n_products)} | {"broken": b"no picture", "absent": png(50)}
    rows = []
    for product_id, data in shown.items():
        digest = hashlib.sha256(data).hexdigest()
        row = {"image_id": image_id(product_id, digest), "product_id": product_id, "uri": "", "width": 12, "height": 16}
        rows.append(row | {"sha256": digest})
    images = in_order(pa.Table.from_pylist(rows, schema=TABLES["images"].schema), "images")
    held = {hashlib.sha256(data).hexdigest(): data for name, data in shown.items() if name != "absent"}
    pictures = in_order(
        pa.Table.from_pylist(
            [{"sha256": digest, "image": data} for digest, data in held.items()], schema=TABLES["pictures"].schema
        ),
        "pictures",
    )
    return images, pictures


def concepts_table(labels):
    rows = [
        {
            "concept_id": f"c{n:03d}",
            "label": label,
            "head_noun": label,
            "modifiers": [],
            "n_mentions": 1,
            "n_products": 1,
        }
        for n, label in enumerate(labels)
    ]
    return in_order(pa.Table.from_pylist(rows, schema=TABLES["concepts"].schema), "concepts")


def test_each_distinct_picture_is_computed_once_and_each_image_has_a_row_or_a_reason(encoder, loaded):
    images, pictures = catalogue()
    embeddings, rejects = embed_images(images, pictures, encoder=encoder, batch_size=4)
    assert encoder.images == 19
    assert embeddings.schema.equals(TABLES["image_embeddings"].schema)
    assert embeddings.schema.metadata == {
        b"model": loaded.model.encode(),
        b"dim": b"16",
        b"fingerprint": loaded.fingerprint.encode(),
    }
    product = dict(zip(images["image_id"].to_pylist(), images["product_id"].to_pylist(), strict=True))
    reasons = {product[row["key"]]: row["reason"] for row in rejects.to_pylist()}
    assert reasons == {"broken": "picture_undecodable", "absent": "picture_missing"}
    assert sorted([*embeddings["id"].to_pylist(), *rejects["key"].to_pylist()]) == images["image_id"].to_pylist()
    data = dict(zip(pictures["sha256"].to_pylist(), pictures["image"].to_pylist(), strict=True))
    digests = dict(zip(images["image_id"].to_pylist(), images["sha256"].to_pylist(), strict=True))
    expected = np.concatenate([loaded.encode_images([data[digests[key]]]) for key in embeddings["id"].to_pylist()])
    assert as_matrix(embeddings).tobytes() == expected.tobytes()


@pytest.mark.parametrize("shard", [5, 13, 40])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_shards_and_batches_make_the_same_bytes(encoder, shard, batch_size):
    images, pictures = catalogue()
    whole = embed_images(images, pictures, encoder=encoder, batch_size=64)
    parts = [
        embed_images(images.slice(start, shard), pictures, encoder=encoder, batch_size=batch_size)
        for start in range(0, len(images), shard)
    ]
    assert pa.concat_tables([part[0] for part in parts]).equals(whole[0])
    assert pa.concat_tables([part[1] for part in parts]).sort_by("key").equals(whole[1])


def test_the_state_of_the_cache_changes_no_byte(encoder, tmp_path):
    images, pictures = catalogue()
    concepts = concepts_table(["dress", "red dress"])
    prompts = ("a photo of {concept}", "{concept}")
    plain = embed_images(images, pictures, encoder=encoder, batch_size=8)
    plain_concepts = embed_concepts(concepts, encoder=encoder, prompts=prompts, batch_size=8)

    def open_cache(kind):
        return EmbeddingCache(tmp_path, fingerprint=encoder.fingerprint, kind=kind, dim=encoder.dim)

    embed_images(images.slice(3, 9), pictures, encoder=encoder, batch_size=8, cache=open_cache("images"))
    for kept in (9, 32):
        encoder.images = encoder.texts = 0
        again = embed_images(images, pictures, encoder=encoder, batch_size=8, cache=open_cache("images"))
        concepts_again = embed_concepts(
            concepts, encoder=encoder, prompts=prompts, batch_size=8, cache=open_cache("texts")
        )
        assert (again[0].equals(plain[0]), again[1].equals(plain[1])) == (True, True)
        assert concepts_again.equals(plain_concepts)
        assert encoder.images < 19 if kept == 9 else encoder.images == 0
        assert encoder.texts == (4 if kept == 9 else 0)


def test_no_images(encoder):
    images, pictures = catalogue()
    embeddings, rejects = embed_images(images.slice(0, 0), pictures.slice(0, 0), encoder=encoder, batch_size=4)
    assert (embeddings.num_rows, rejects.num_rows) == (0, 0)
    assert embeddings.schema.metadata[b"dim"] == b"16"
    assert embed_concepts(concepts_table([]), encoder=encoder, prompts=("{concept}",), batch_size=4).num_rows == 0


def test_a_concept_is_the_normalised_mean_of_its_prompts(encoder, loaded):
    labels = ["dress", "{odd} 100% label", "long sleeve t-shirt", "dress"]
    prompts = ("a photo of {concept}", "{concept}", "the {concept} and a {concept}")
    table = embed_concepts(concepts_table(labels), encoder=encoder, prompts=prompts, batch_size=2)
    for row, label in enumerate(labels):
        mean = loaded.encode_texts([prompt.replace("{concept}", label) for prompt in prompts]).mean(axis=0)
        np.testing.assert_allclose(as_matrix(table)[row], mean / np.linalg.norm(mean), atol=1e-6)
    assert as_matrix(table)[0].tobytes() == as_matrix(table)[3].tobytes()


def test_one_prompt_is_the_embedding_of_its_text(encoder, loaded):
    table = embed_concepts(concepts_table(["dress"]), encoder=encoder, prompts=("a {concept}",), batch_size=8)
    np.testing.assert_allclose(as_matrix(table), loaded.encode_texts(["a dress"]), atol=1e-7)


@pytest.mark.parametrize("prompts", [(), ("a photo",), ("{concept}", "a photo of {}")])
def test_prompts_without_a_place_for_the_concept_are_refused(encoder, prompts):
    with pytest.raises(ConfigError, match="prompt"):
        embed_concepts(concepts_table(["dress"]), encoder=encoder, prompts=prompts, batch_size=8)


def test_texts_keep_their_order_and_are_computed_once(encoder, loaded):
    texts = ["b", "a", "b", "c", "a"]
    rows = embed_texts(texts, encoder=encoder, batch_size=2)
    assert encoder.texts == 3
    assert rows.tobytes() == np.concatenate([loaded.encode_texts([text]) for text in texts]).tobytes()
    assert embed_texts([], encoder=encoder, batch_size=2).shape == (0, 16)
