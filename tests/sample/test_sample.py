"""The sample is what its script makes, its truth is what its texts say, and an ingest reports just what it should."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from kgbuild.config import IngestConfig, load_config
from kgbuild.ingest import Ingested, ingest_catalogue

DATA = Path(__file__).resolve().parents[2] / "data"
SAMPLE = DATA / "sample"


def read_lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (SAMPLE / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def tables() -> Ingested:
    parts = list(ingest_catalogue(load_config(SAMPLE / "kgbuild.toml").catalogue, IngestConfig()))
    return Ingested(*(pa.concat_tables(group) for group in zip(*parts, strict=True)))


def test_the_script_makes_the_sample_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its texts, and every 20th picture: drawing is the slow part."""
    monkeypatch.syspath_prepend(str(DATA))
    importlib.import_module("make_sample").write_sample(tmp_path, every=20)
    made = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert len(made) > 25
    for name in made:
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name


def test_it_is_small_and_large_enough(tables: Ingested) -> None:
    assert sum(p.stat().st_size for p in SAMPLE.rglob("*") if p.is_file()) < 3e6
    assert tables.products.num_rows == 402
    assert len(read_lines("new_arrivals.jsonl")) == 40


def test_an_ingest_reports_the_bad_rows_and_no_others(tables: Ingested) -> None:
    found = sorted((row["key"], row["reason"]) for row in tables.rejects.to_pylist())
    assert found == sorted((row["key"], row["reason"]) for row in read_lines("expected_rejects.jsonl"))


def test_the_truth_covers_every_product(tables: Ingested) -> None:
    truth = read_lines("truth.jsonl")
    assert sorted(row["id"] for row in truth if not row["arrival"]) == sorted(tables.products["product_id"].to_pylist())
    assert sorted(row["id"] for row in truth if row["arrival"]) == sorted(
        row["id"] for row in read_lines("new_arrivals.jsonl")
    )


def test_every_concept_of_the_truth_stands_in_its_text(tables: Ingested) -> None:
    texts = {(row["product_id"], row["field"]): row["text"] for row in tables.texts.to_pylist()}
    counted: Counter[str] = Counter()
    for row in read_lines("truth.jsonl"):
        for field, concepts in row["concepts"].items():
            for concept in concepts:
                if not row["arrival"]:
                    assert concept["surface"] in texts[row["id"], field], (row["id"], concept)
                counted[field] += 1
                words = set(concept["surface"].lower().replace("-", " ").split())
                for unit in concept["modifiers"]:
                    assert all(
                        any(word.startswith(part[:4]) for word in words) for part in unit.replace("-", " ").split()
                    ), concept
    assert counted["title"] > 440
    assert counted["description"] > 1000


def test_concepts_tell_what_is_drawn() -> None:
    """Of the product's own concepts: the head is its type, a colour is its colour, sleeves are its sleeves."""
    for row in read_lines("truth.jsonl"):
        for concept in (c for group in row["concepts"].values() for c in group):
            if concept["head"] == row["type"]:
                assert {"short sleeve": "short", "long sleeve": "long", "sleeveless": "sleeveless"}.keys() & set(concept["modifiers"]) <= {
                    f"{row['sleeve']} sleeve", row["sleeve"]
                }  # fmt: skip
            if concept["head"] == "sleeve":
                assert concept["modifiers"] == [row["sleeve"]]
            if (
                concept["surface"] in {c["surface"] for c in row["concepts"]["title"]}
                and concept["head"] == row["type"]
            ):
                assert row["colour"] in concept["modifiers"]


def test_boilerplate_and_marketing_name_nothing(tables: Ingested) -> None:
    fields = Counter(tables.texts["field"].to_pylist())
    assert fields["boilerplate:care"] > 100
    assert fields["boilerplate:model_statistics"] > 20
    assert fields["boilerplate:warranty"] > 10
    assert not any("<" in text or "â€" in text or "&amp;" in text for text in tables.texts["text"].to_pylist())
    heads = {c["head"] for row in read_lines("truth.jsonl") for group in row["concepts"].values() for c in group}
    assert not heads & {"jeans", "trainer", "attire", "weekend", "quality", "day", "iron", "warranty", "model"}


def test_twins_share_their_pictures(tables: Ingested) -> None:
    hashes = {row["product_id"]: row["sha256"] for row in tables.images.to_pylist()}
    twins = [
        (row["id"], row["twin_of"])
        for row in read_lines("truth.jsonl")
        if row["twin_of"] in hashes and row["id"] in hashes
    ]
    same = [pair for pair in twins if hashes[pair[0]] == hashes[pair[1]]]
    near = [pair for pair in twins if pair not in same]
    assert len(same) >= 8
    assert len(near) >= 8
    pictures = {row["sha256"]: row["image"] for row in tables.pictures.to_pylist()}
    for one, other in near:
        a, b = (
            Image.open(io.BytesIO(pictures[hashes[name]])).convert("L").resize((12, 16)).tobytes()
            for name in (one, other)
        )
        assert sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a) < 16


def test_arrivals_bring_what_the_catalogue_has_not() -> None:
    truth = read_lines("truth.jsonl")
    for key, new in (("type", {"tie", "poncho"}), ("pattern", {"zigzag"}), ("colour", {"turquoise"})):
        old = {row[key] for row in truth if not row["arrival"]}
        assert {row[key] for row in truth if row["arrival"]} - old == new


def test_pictures_differ_between_products(tables: Ingested) -> None:
    counts = Counter(tables.images["sha256"].to_pylist())
    assert max(counts.values()) == 2
    assert all(hashlib.sha256(row["image"]).hexdigest() == row["sha256"] for row in tables.pictures.to_pylist())
