"""The pipeline against the sample's truth: concepts, is-a edges and prototypes exactly, what mining finds within a floor."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from kgbuild.clip import load_clip
from kgbuild.config import EncoderConfig, load_config
from kgbuild.embeddings import embed_concepts, embed_images
from kgbuild.hierarchy import build_hierarchy, closure
from kgbuild.identity import concept_id
from kgbuild.ingest import ingest_catalogue
from kgbuild.language import load_miner, mine_mentions
from kgbuild.language.concepts import aggregate_concepts
from kgbuild.prototypes import build_candidate_pools, select_prototypes
from kgbuild.subsumption import subsumes
from kgbuild.tables import TABLES, in_order

SAMPLE = Path(__file__).parent.parent.parent / "data" / "sample"
Phrase = tuple[str, frozenset[str]]


class World(NamedTuple):
    tables: dict[str, pa.Table]
    said: dict[str, dict[str, list[Phrase]]]  # product -> field -> its phrases by the truth


@pytest.fixture(scope="module")
def world() -> World:
    config = load_config(SAMPLE / "kgbuild.toml")
    names = ("products", "texts", "images", "pictures", "rejects")
    pieces = list(ingest_catalogue(config.catalogue, config.ingest))
    tables = {n: in_order(pa.concat_tables([getattr(p, n) for p in pieces]), n) for n in names}
    known = set(tables["products"]["product_id"].to_pylist())
    said = {
        row["id"]: {
            field: [(c["head"], frozenset(c["modifiers"])) for c in found] for field, found in row["concepts"].items()
        }
        for row in map(json.loads, (SAMPLE / "truth.jsonl").read_text("utf-8").splitlines())
        if row["id"] in known
    }
    tables["mentions"] = true_mentions(tables["texts"], said)
    tables["concepts"], tables["product_concepts"] = aggregate_concepts(
        tables["mentions"], tables["texts"], min_products=3, max_modifiers=4
    )
    tables["is_a_edges"] = build_hierarchy(tables["concepts"])
    return World(tables, said)


def true_mentions(texts: pa.Table, said: dict[str, dict[str, list[Phrase]]]) -> pa.Table:
    rows = []
    for text in texts.to_pylist():
        for place, (head, modifiers) in enumerate(said.get(text["product_id"], {}).get(text["field"], [])):
            surface = " ".join([*sorted(modifiers), head])
            rows.append({
                "text_id": text["text_id"], "start": place, "end": place + 1, "surface_form": surface,
                "concept_id": concept_id(head, modifiers), "head_noun": head, "modifiers": sorted(modifiers), "domain": "other",
            })  # fmt: skip
    return in_order(pa.Table.from_pylist(rows, schema=TABLES["mentions"].schema), "mentions")


def phrases(said: dict[str, dict[str, list[Phrase]]], product: str) -> Iterable[Phrase]:
    return (phrase for found in said[product].values() for phrase in found)


def kept(world: World) -> dict[str, Phrase]:
    return {
        row["concept_id"]: (row["head_noun"], frozenset(row["modifiers"]))
        for row in world.tables["concepts"].to_pylist()
    }


def test_support_is_the_number_of_products_whose_truth_falls_under_the_concept(world: World) -> None:
    counts = dict(zip(*(world.tables["concepts"][c].to_pylist() for c in ("concept_id", "n_products")), strict=True))
    texts = world.tables["texts"].to_pylist()
    fields: dict[str, set[str]] = {}
    for text in texts:
        fields.setdefault(text["product_id"], set()).add(text["field"])
    for key, phrase in kept(world).items():
        under = sum(
            any(subsumes(phrase, own) for field, found in by_field.items() if field in fields[product] for own in found)
            for product, by_field in world.said.items()
        )
        assert counts[key] == under, phrase


def test_every_garment_of_three_products_is_a_concept(world: World) -> None:
    concepts = set(kept(world).values())
    by_head: dict[str, set[str]] = {}
    for product in world.said:
        for head, _ in phrases(world.said, product):
            by_head.setdefault(head, set()).add(product)
    assert {(head, frozenset()) for head, products in by_head.items() if len(products) >= 3} <= concepts


def test_is_a_closure_is_subsumption(world: World) -> None:
    concepts = kept(world)
    rows = closure(world.tables["is_a_edges"])
    found = set(zip(rows["hyponym_id"].to_pylist(), rows["hypernym_id"].to_pylist(), strict=True))
    expected = {
        (low, high)
        for low, one in concepts.items()
        for high, other in concepts.items()
        if low != high and subsumes(other, one)
    }
    assert found == expected


def test_prototypes_show_products_that_the_truth_puts_under_the_concept(world: World) -> None:
    tables, concepts = world.tables, kept(world)
    encoder = load_clip(EncoderConfig())
    images, _ = embed_images(tables["images"], tables["pictures"], encoder=encoder, batch_size=64)
    labels = embed_concepts(tables["concepts"], encoder=encoder, prompts=["a photo of {concept}"], batch_size=64)
    pools = build_candidate_pools(
        tables["concepts"], tables["product_concepts"], closure(tables["is_a_edges"]), tables["images"], labels, images,
        pool_size=20, gate=True,
    )  # fmt: skip
    chosen = select_prototypes(pools, images, tables["images"], k=5, mmr_lambda=0.7, duplicate_similarity=0.98)
    owner = dict(zip(*(tables["images"][c].to_pylist() for c in ("image_id", "product_id")), strict=True))
    picture = dict(zip(*(tables["images"][c].to_pylist() for c in ("image_id", "sha256")), strict=True))
    shown: dict[str, list[str]] = {}
    for row in chosen.to_pylist():
        shown.setdefault(row["concept_id"], []).append(row["image_id"])
    assert len(shown) > 0.95 * len(concepts)
    for key, image_ids in shown.items():
        assert all(any(subsumes(concepts[key], own) for own in phrases(world.said, owner[i])) for i in image_ids)
        assert len({picture[i] for i in image_ids}) == len(image_ids), "a picture stands twice for a concept"


def test_mining_finds_what_the_truth_lists(world: World) -> None:
    miner = load_miner("en_kgbuild")
    mentions, rejects = mine_mentions(world.tables["texts"], world.tables["products"], miner=miner, batch_size=64)
    assert rejects.num_rows == 0
    heads = {
        (text, head)
        for text, head in zip(mentions["text_id"].to_pylist(), mentions["head_noun"].to_pylist(), strict=True)
    }
    truth = world.tables["mentions"]
    true_heads = set(zip(truth["text_id"].to_pylist(), truth["head_noun"].to_pylist(), strict=True))
    precision, recall = len(heads & true_heads) / len(heads), len(heads & true_heads) / len(true_heads)
    assert precision > 0.9, precision
    assert recall > 0.85, recall
