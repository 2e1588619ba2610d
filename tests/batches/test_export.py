"""What is exported is what the tables say, shard size or not, and a half-written export is none."""

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from small_catalogue import compose, export, rows_of, small_tables

from kgbuild.batches import export_batches, read_batches, read_manifest
from kgbuild.batches.export import clauses_of, facts_of
from kgbuild.batches.shard_format import ROW_SCHEMA
from kgbuild.errors import TableError


@pytest.fixture(scope="module")
def tables():
    return small_tables()


def test_rows_say_what_the_tables_say(tables, tmp_path: Path) -> None:
    plan = compose(tables)
    manifest = export(tables, plan, tmp_path / "out")
    rows = [row for batch in read_batches(tmp_path / "out") for row in batch.to_pylist()]
    texts = {row["text_id"]: row["text"] for row in tables["texts"].to_pylist()}
    images = {row["image_id"]: row for row in tables["images"].to_pylist()}
    bytes_of = {row["sha256"]: row["image"] for row in tables["pictures"].to_pylist()}
    labels = {row["concept_id"]: row["label"] for row in tables["concepts"].to_pylist()}
    assert manifest == read_manifest(tmp_path / "out")
    assert (manifest.rows, manifest.batches, manifest.batch_size) == (22, 3, 8)
    assert (manifest.products_without_text, manifest.products_without_image) == (1, 1)
    assert [(r["batch_id"], r["position"], r["text_id"], r["image_id"]) for r in rows] == [
        (r["batch_id"], r["position"], r["text_id"], r["image_id"]) for r in plan.to_pylist()
    ]
    for row, planned in zip(rows, plan.to_pylist(), strict=True):
        assert row["text"] == texts[row["text_id"]]
        assert row["image"] == bytes_of[images[row["image_id"]]["sha256"]]
        assert row["product_id"] == images[row["image_id"]]["product_id"]
        assert row["concept_ids"] == [*planned["concept_ids"], ""]
        assert row["concept_labels"] == [labels[c] for c in planned["concept_ids"]] + [""]
        assert row["concept_mask"] == [True, True, False]
        assert "Wash cold by hand only." not in row["clauses"]


def test_prototypes_similarities_and_masks(tables, tmp_path: Path) -> None:
    manifest = export(tables, compose(tables), tmp_path / "out")
    embedding = {row["id"]: np.array(row["embedding"]) for row in tables["image_embeddings"].to_pylist()}
    sha256 = {row["image_id"]: row["sha256"] for row in tables["images"].to_pylist()}
    shown = {}
    for row in tables["prototypes"].to_pylist():
        shown.setdefault(row["concept_id"], []).append(row["image_id"])
    for batch in read_batches(tmp_path / "out"):
        for row in batch.to_pylist():
            for slot, concept in enumerate(row["concept_ids"]):
                images = shown.get(concept, [])
                pad = manifest.prototypes_per_concept - len(images)
                expected = [float(embedding[row["image_id"]] @ embedding[image]) for image in images]
                assert row["prototype_sha256"][slot] == [sha256[image] for image in images] + [""] * pad
                assert row["prototype_mask"][slot] == [True] * len(images) + [False] * pad
                assert row["prototype_similarity"][slot] == pytest.approx(expected + [0.0] * pad, abs=1e-6)
    stored = pq.read_table(tmp_path / "out" / "pictures")
    assert len(set(stored["sha256"].to_pylist())) == stored.num_rows == manifest.pictures
    assert set(pq.read_table(tmp_path / "out" / "prototypes.parquet")["sha256"].to_pylist()) == set(
        stored["sha256"].to_pylist()
    )


def test_the_shard_size_changes_no_row(tables, tmp_path: Path) -> None:
    plan = compose(tables)
    exports = []
    for shard_batches in (1, 3):
        export(tables, plan, tmp_path / str(shard_batches), shard_batches=shard_batches)
        exports.append([batch.to_pylist() for batch in read_batches(tmp_path / str(shard_batches))])
    assert exports[0] == exports[1]
    assert len(read_manifest(tmp_path / "1").shards) == 3
    assert pq.read_schema(tmp_path / "1" / "rows" / "part-00000.parquet").equals(ROW_SCHEMA)


def test_a_second_export_replaces_the_first_and_leaves_other_folders_alone(tables, tmp_path: Path) -> None:
    plan = compose(tables)
    export(tables, plan, tmp_path / "out")
    export(tables, plan.slice(0, 8), tmp_path / "out")
    assert read_manifest(tmp_path / "out").rows == 8
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    with pytest.raises(TableError, match="not empty"):
        export(tables, plan, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep"


def test_an_export_that_fails_leaves_the_earlier_one(tables, tmp_path: Path) -> None:
    plan = compose(tables)
    export(tables, plan, tmp_path / "out")
    before = (tmp_path / "out" / "manifest.json").read_text()
    fewer = {**tables, "pictures": tables["pictures"].slice(0, 3)}
    with pytest.raises(TableError, match="pictures table lacks"):
        export(fewer, plan, tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").read_text() == before


def test_a_concept_that_is_not_there_is_named(tables, tmp_path: Path) -> None:
    fewer = {**tables, "concepts": tables["concepts"].slice(0, 1)}
    with pytest.raises(TableError, match="concepts table lacks"):
        export(fewer, compose(tables), tmp_path / "out")


def test_only_the_pictures_of_one_shard_are_asked_for_at_a_time(tables, tmp_path: Path) -> None:
    asked = []

    def fetch(keys):
        asked.append(len(keys))
        return rows_of(tables["pictures"], "sha256")(keys)

    export_batches(
        compose(tables), tables["concepts"], tables["closure"], tables["prototypes"].slice(0, 0), tables["images"],
        tables["image_embeddings"], tmp_path / "out", fetch_products=rows_of(tables["products"], "product_id"),
        fetch_texts=rows_of(tables["texts"], "product_id"), fetch_pictures=fetch, concepts_per_text=3, shard_batches=1,
    )  # fmt: skip
    assert asked == [8, 8, 6]


def test_a_catalogue_without_concepts_or_embeddings_is_exported_too(tables, tmp_path: Path) -> None:
    nothing = {
        name: tables[name].slice(0, 0) for name in ("product_concepts", "concepts", "prototypes", "image_embeddings")
    }
    bare = {**tables, **nothing}
    manifest = export(bare, compose(bare), tmp_path / "out")
    assert (manifest.rows, manifest.concepts, manifest.pictures) == (22, 0, 0)
    assert next(read_batches(tmp_path / "out"))["concept_mask"].to_pylist() == [[False] * 3] * 8


def test_an_empty_plan_is_exported_as_such(tables, tmp_path: Path) -> None:
    plan = compose(tables)
    manifest = export(tables, plan.filter(pc.equal(plan["batch_id"], -1)), tmp_path / "out")
    assert (manifest.rows, manifest.batches, manifest.shards) == (0, 0, [])
    assert list(read_batches(tmp_path / "out")) == []


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no exported batches"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"format": "other/9"}))
    with pytest.raises(TableError, match="other/9"):
        read_manifest(tmp_path)


def test_clauses_and_facts() -> None:
    assert clauses_of("1. Round neck, short sleeves\n- Cotton\nSo soft! Wear it with jeans.") == [
        "Round neck, short sleeves",
        "Wear it with jeans.",
    ]
    product = {
        "category_path": ["Apparel", "Shirts"],
        "attributes": [("pockets", "2"), ("base_colour", "Navy Blue"), ("fit", "")],
    }
    assert facts_of(product) == ["Apparel", "Shirts", "Navy Blue", "pockets 2"]
