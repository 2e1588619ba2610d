"""Texts without their padding, and concepts by number."""

import pyarrow as pa
import torch
from clip_fixture import tiny_config, write_tiny_clip

from kgbuild.clip import load_clip_parts
from kgbuild.training.concept_bank import ConceptBank
from kgbuild.training.model import encode_texts, picture_geometry, picture_size


def test_texts_without_padding_have_the_same_embeddings_and_gradients(tmp_path) -> None:
    parts = load_clip_parts(str(write_tiny_clip(tmp_path)))
    tokens = parts.tokenizer(["a", "a red cap with a very long visor and more", "blue shirt", "", "dress in white"])
    for groups in (1, 2, 4, 9):
        assert torch.allclose(
            encode_texts(parts.model, tokens, groups=groups), parts.model.encode_text(tokens), atol=1e-5
        )
    gradients = []
    for encode in (encode_texts, lambda model, tokens: model.encode_text(tokens)):
        parts.model.zero_grad()
        encode(parts.model, tokens).square().sum().backward()
        gradients.append(parts.model.transformer.resblocks[0].mlp.c_fc.weight.grad.clone())
    assert torch.allclose(*gradients, atol=1e-5)


def test_geometry_is_that_of_the_model(tmp_path) -> None:
    from PIL import Image

    parts = load_clip_parts(str(write_tiny_clip(tmp_path, resize_mode="squash")))
    assert picture_size(parts) == (80, 60)
    assert picture_geometry(parts)(Image.new("RGB", (99, 33))).size == (60, 80)
    assert tiny_config()["preprocess_cfg"]["resize_mode"] == "longest"


def bank() -> ConceptBank:
    concepts = pa.table(
        {"concept_id": ["s", "rs", "c"], "label": ["shirt", "red shirt", "cap"], "hypernym_ids": [[], ["s"], []]}
    )
    prototypes = pa.table(
        {"concept_id": ["rs", "rs", "c", "x"], "prototype_rank": [1, 0, 0, 0], "image_id": ["i2", "i1", "gone", "i1"]}
    )
    return ConceptBank(concepts, prototypes, {"i1": "aa", "i2": "bb"})


def test_prototypes_are_kept_in_order_and_what_is_missing_is_counted() -> None:
    made = bank()
    assert made.pictures == ["aa", "bb"]
    assert made.prototypes.tolist() == [[-1, -1], [0, 1], [-1, -1]]
    assert made.missing == 1
    assert made.prompts[1] == "a photo of red shirt"


def test_same_and_is_a_related_concepts_are_related() -> None:
    made = bank()
    slots = made.slots(
        [{"concept_ids": ["rs", "c"]}, {"concept_ids": ["s", ""]}, {"concept_ids": ["c"]}, {"concept_ids": None}], 2
    )
    assert slots.tolist() == [[1, 2], [0, -1], [2, -1], [-1, -1]]
    first, second = made.related(slots)
    assert first[0].tolist() == [True, True, False, False]
    assert first[2].tolist() == [False, False, True, False]
    assert second[0].tolist() == [True, False, False, False]
    assert torch.equal(first, first.T)
