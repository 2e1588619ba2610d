"""From annotated texts of the real catalogue: concepts and hierarchy in one go, and as an expansion of the first half."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kgbuild.hierarchy import ancestors, build_hierarchy, closure, descendants, expand_hierarchy, longest_chains, roots
from kgbuild.identity import concept_id
from kgbuild.language.concepts import aggregate_concepts
from kgbuild.tables import TABLES

GOLD = Path(__file__).parents[3] / "shared" / "gold" / "train.jsonl"

pytestmark = pytest.mark.skipif(not GOLD.exists(), reason="needs ../shared/gold beside the checkout")


@pytest.fixture(scope="module")
def mentions() -> pa.Table:
    """The annotated concepts of each text as mentions; the text's id is the product's."""
    rows = [
        {"text_id": text["id"], "start": place, "end": place + 1, "surface_form": found["surface"]}
        | {"head_noun": found["head"], "modifiers": sorted(found["modifiers"]), "domain": "other"}
        | {"concept_id": concept_id(found["head"], found["modifiers"])}
        for text in map(json.loads, GOLD.read_text("utf-8").splitlines())
        for place, found in enumerate(text["concepts"])
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["mentions"].schema)


def concepts_of(mentions: pa.Table) -> pa.Table:
    ids = pc.unique(mentions["text_id"])
    texts = pa.table({"text_id": ids, "product_id": ids})
    return aggregate_concepts(mentions, texts, min_products=2, max_modifiers=4)[0]


def test_a_half_expanded_is_the_whole(mentions: pa.Table) -> None:
    half, whole = concepts_of(mentions.slice(0, mentions.num_rows // 2)), concepts_of(mentions)
    before = set(half["concept_id"].to_pylist())
    added = [one for one in whole["concept_id"].to_pylist() if one not in before]
    assert len(added) > 100
    assert expand_hierarchy(build_hierarchy(half), whole, added).equals(build_hierarchy(whole))


@pytest.mark.parametrize(("n_shards", "seed"), [(2, 0), (5, 1), (9, 2)])
def test_shards_may_come_and_go_in_any_order(mentions: pa.Table, n_shards: int, seed: int) -> None:
    """Texts are dealt to shards; these come one by one and go in another order. More texts can also end a concept (an echo, say)."""
    draw = np.random.default_rng(seed)
    texts = pc.unique(mentions["text_id"])
    shard_of_text = draw.integers(0, n_shards, len(texts))
    shard = shard_of_text[pc.index_in(mentions["text_id"], value_set=texts).to_numpy()]
    coming, going = draw.permutation(n_shards), draw.permutation(n_shards)
    steps = [coming[:n] for n in range(1, n_shards + 1)] + [going[n:] for n in range(1, n_shards + 1)]
    edges, before, ended = build_hierarchy(concepts_of(mentions.slice(0, 0))), set[str](), 0
    for here in steps:
        some = mentions.filter(pa.array(np.isin(shard, here)))
        concepts = concepts_of(some.take(draw.permutation(some.num_rows)))
        assert concepts.equals(concepts_of(some))
        now = set(concepts["concept_id"].to_pylist())
        edges = expand_hierarchy(edges, concepts, now - before)
        assert edges.equals(build_hierarchy(concepts))
        ended += len(before - now)
        before = now
    assert edges.num_rows == 0
    assert ended > 1000


def test_the_hierarchy_hangs_together(mentions: pa.Table) -> None:
    concepts = concepts_of(mentions)
    edges = build_hierarchy(concepts)
    rows = {row["concept_id"]: row for row in concepts.to_pylist()}
    assert {rows[one]["label"] for one in roots(concepts, edges)} == {row["head_noun"] for row in rows.values()}
    for edge in closure(edges).to_pylist():
        low, high = rows[edge["hyponym_id"]], rows[edge["hypernym_id"]]
        assert low["head_noun"] == high["head_noun"]
        assert low["n_products"] <= high["n_products"]
        assert low["n_mentions"] <= high["n_mentions"]
    assert len(longest_chains(edges, 3)[0]) >= 4


def test_navy_blue_is_blue(mentions: pa.Table) -> None:
    concepts = concepts_of(mentions)
    edges = build_hierarchy(concepts)
    kept = {(row["head_noun"], frozenset(row["modifiers"])): row["concept_id"] for row in concepts.to_pylist()}
    broader = {
        navy: kept[head, modifiers - {"navy blue"} | {"blue"}]
        for (head, modifiers), navy in kept.items()
        if (head, modifiers - {"navy blue"} | {"blue"}) in kept.keys() - {(head, modifiers)}
        and "navy blue" in modifiers
    }
    assert broader
    for navy, blue in broader.items():
        assert blue in ancestors(edges, navy)
        assert navy in descendants(edges, blue)
