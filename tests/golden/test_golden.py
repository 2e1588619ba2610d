"""The whole pipeline on the sample: built twice it has the same bytes, and its rows are those that were pinned.

Only the encoder is not the shipped one but a tiny CLIP of random weights. The pinned digests are of rows, not of files, so they
outlive a new pyarrow; the tables that hold floating point numbers of the encoder are compared between builds, not pinned.
After a wanted change: KGBUILD_RENEW_GOLDEN=1 python -m pytest tests/golden
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clip_fixture import write_tiny_clip

from kgbuild.build import build, expand
from kgbuild.config import Config, load_config
from kgbuild.release import Release
from kgbuild.tables import TABLES

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
PINNED = Path(__file__).with_name("sample_part.json")
PART_ROWS = 60

# Columns left out of the digest: messages of other libraries.
NOT_PINNED = {"rejects": {"detail"}}
PINNED_TABLES = (
    "products", "texts", "images", "pictures", "rejects", "mentions", "concepts", "product_concepts", "is_a_edges", "batch_plan",
)  # fmt: skip


def _digest(rows: pa.Table, *, without: Iterable[str] = ()) -> str:
    """SHA-256 over the rows as JSON lines, in their order."""
    digest = hashlib.sha256()
    for row in rows.drop_columns(sorted(without)).to_pylist():
        digest.update(
            json.dumps(row, ensure_ascii=False, default=lambda data: hashlib.sha256(data).hexdigest()).encode()
        )
    return digest.hexdigest()


def _digests(release: Release) -> dict[str, dict[str, Any]]:
    found = {}
    for name in PINNED_TABLES:
        rows = release.table(name)
        found[name] = {"rows": rows.num_rows, "sha256": _digest(rows, without=NOT_PINNED.get(name, ()))}
    return found


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet") if path.is_file()
    }


def _differences(one: Path, other: Path) -> list[str]:
    """The files that differ, or that one of the two lacks."""
    files, others = _files(one), _files(other)
    return sorted(name for name in files.keys() | others.keys() if files.get(name) != others.get(name))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


@pytest.fixture(scope="module")
def sample(work: Path) -> Config:
    encoder = write_tiny_clip(work / "clip")
    return load_config(SAMPLE / "kgbuild.toml", [f"encoder.model={encoder}", "encoder.device=cpu", "run.workers=1"])


@pytest.fixture(scope="module")
def part(work: Path, sample: Config) -> Config:
    """The first rows of the sample, bad ones among them."""
    lines = (SAMPLE / "catalogue.jsonl").read_bytes().splitlines(keepends=True)
    for folder in ("one", "other"):
        (work / folder).mkdir()
        (work / folder / "part.jsonl").write_bytes(b"".join(lines[:PART_ROWS]))
    return replace(sample, catalogue=replace(sample.catalogue, path=str(work / "one" / "part.jsonl")))


@pytest.fixture(scope="module")
def release(part: Config, work: Path) -> Release:
    return build(replace(part, run=replace(part.run, shard_rows=11)), work / "one" / "out").release


def test_built_twice_the_bytes_are_the_same(part: Config, release: Release, work: Path) -> None:
    elsewhere = replace(part.catalogue, path=str(work / "other" / "part.jsonl"))
    other = replace(part, catalogue=elsewhere, run=replace(part.run, shard_rows=90, workers=2))
    again = build(other, work / "other" / "out").release
    assert _differences(release.path, again.path) == []
    assert again.release_id == release.release_id
    assert again.manifest.stages == release.manifest.stages

    def content(config: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in config.items() if key not in ("run", "catalogue")}

    assert content(again.manifest.config) == content(release.manifest.config)


def test_every_table_of_the_pipeline_is_there(release: Release) -> None:
    expected = set(TABLES) - {"metrics"}
    assert {name.partition(".")[0] for name in _files(release.path)} == expected
    may_be_empty = {"rejects", "synonyms"}  # the sample is spelt consistently
    assert [name for name in expected - may_be_empty if release.rows(name) == 0] == []
    for name in expected:
        rows = release.table(name)
        assert rows.schema == TABLES[name].schema
        key = [(column, "ascending") for column in TABLES[name].key]
        assert rows.equals(rows.sort_by(key)), f"{name} is not in the order of its key"
        keys = rows.select(list(TABLES[name].key)).to_pylist()
        assert len({json.dumps(k) for k in keys}) == len(keys), f"{name} holds a key twice"


def test_tables_refer_to_rows_that_exist(release: Release) -> None:
    def values(table: str, column: str) -> set[Any]:
        return set(release.table(table, [column])[column].to_pylist())

    assert values("texts", "product_id") <= values("products", "product_id")
    assert values("images", "product_id") <= values("products", "product_id")
    assert values("images", "sha256") == values("pictures", "sha256")
    assert values("mentions", "text_id") <= values("texts", "text_id")
    assert values("product_concepts", "concept_id") <= values("concepts", "concept_id")
    assert values("is_a_edges", "hyponym_id") | values("is_a_edges", "hypernym_id") <= values("concepts", "concept_id")
    assert values("image_embeddings", "id") <= values("images", "image_id")
    assert values("concept_embeddings", "id") == values("concepts", "concept_id")
    assert values("prototypes", "image_id") <= values("candidate_pools", "image_id") <= values("image_embeddings", "id")
    assert values("batch_plan", "text_id") <= values("texts", "text_id")
    assert values("edges", "src") | values("edges", "dst") <= values("nodes", "id")


def test_the_rows_are_those_that_were_pinned(release: Release, part: Config) -> None:
    found = {
        "catalogue": hashlib.sha256(Path(part.catalogue.path).read_bytes()).hexdigest(),
        "tables": _digests(release),
    }
    if os.environ.get("KGBUILD_RENEW_GOLDEN"):
        PINNED.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    pinned = json.loads(PINNED.read_text("utf-8"))
    assert found["catalogue"] == pinned["catalogue"], "the sample itself was made anew: renew the digests"
    differ = [name for name in PINNED_TABLES if found["tables"][name] != pinned["tables"][name]]
    assert differ == [], "if this change is wanted: KGBUILD_RENEW_GOLDEN=1 python -m pytest tests/golden"


def test_one_changed_byte_is_seen(release: Release, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(release.path, copy)
    assert _differences(release.path, copy) == []
    file = copy / "concepts.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert _differences(release.path, copy) == ["concepts.parquet"]
    (copy / "mentions.parquet").unlink()
    assert _differences(release.path, copy) == ["concepts.parquet", "mentions.parquet"]


@pytest.mark.parametrize("name", PINNED_TABLES)
def test_one_changed_value_is_seen_in_its_digest_alone(release: Release, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(release.path, copy)
    rows = release.table(name).to_pylist()
    column = "reason" if name == "rejects" else TABLES[name].key[0]
    rows[-1][column] = rows[-1][column] + ("~" if isinstance(rows[-1][column], str) else 1)
    target = copy / f"{name}.parquet"
    if target.is_dir():
        shutil.rmtree(target)
    pq.write_table(pa.Table.from_pylist(rows, schema=TABLES[name].schema), target)
    before, after = _digests(release), _digests(Release(copy))
    assert [other for other in PINNED_TABLES if before[other] != after[other]] == [name]


def test_expanding_the_sample_equals_building_all_of_it(sample: Config, work: Path) -> None:
    grown = build(sample, work / "grown")
    report = expand(sample, SAMPLE / "new_arrivals.jsonl", work / "grown")
    assert grown.release.rows("products") + 40 == report.release.rows("products")
    both = work / "both"
    both.mkdir()
    for name in ("catalogue.jsonl", "new_arrivals.jsonl"):
        shutil.copy(SAMPLE / name, both / name)
    at_once = replace(
        sample, catalogue=replace(sample.catalogue, path=str(both)), run=replace(sample.run, shard_rows=300)
    )
    whole = build(at_once, work / "whole").release
    assert _differences(report.release.path, whole.path) == []
    assert report.release.release_id == whole.release_id
    assert [asdict(record)["outputs"] for record in report.release.manifest.stages.values()] == [
        asdict(record)["outputs"] for record in whole.manifest.stages.values()
    ]
    how = {stage.name: stage.how for stage in report.stages}
    assert "taken over" in how["mentions"]
    assert "taken over" in how["image_embeddings"]


def test_halves_of_the_sample_may_come_in_either_order(part: Config, release: Release, work: Path) -> None:
    rows = [json.loads(line) for line in Path(part.catalogue.path).read_text("utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == len(rows), (
        "take another part: an id twice is kept once, whichever half it is in"
    )
    lines = [json.dumps(row) + "\n" for row in rows]
    halves = {}
    for name, chosen in (("even", lines[::2]), ("odd", lines[1::2])):
        halves[name] = work / f"{name}.jsonl"
        halves[name].write_text("".join(chosen), "utf-8")
    ids = set()
    for first, second in (("even", "odd"), ("odd", "even")):
        config = replace(part, catalogue=replace(part.catalogue, path=str(halves[first])))
        build(config, work / f"{first}-first")
        ids.add(expand(config, halves[second], work / f"{first}-first").release.path)
    one, other = sorted(ids)
    assert _differences(one, other) == []
    assert _differences(one, release.path) == []
