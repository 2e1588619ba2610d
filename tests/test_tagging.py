"""`kgbuild link` on a small hand-made release: the kinds of input, what is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from kgbuild.cli import app
from kgbuild.errors import CatalogueError
from kgbuild.identity import concept_id
from kgbuild.release import Manifest, Workspace, _write_manifest
from kgbuild.tables import TABLES
from kgbuild.tagging import readings_of

pytest.importorskip("ahocorasick_rs")

SHIRT, BLUE = concept_id("shirt", []), concept_id("shirt", ["blue"])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out" / "releases" / "r1"
    folder.mkdir(parents=True)
    named = [("t1", "Blue Shirt", BLUE, ["blue"]), ("t2", "shirts", SHIRT, [])]
    shared = {"head_noun": "shirt", "n_mentions": 1, "n_products": 1}
    rows = {
        "texts": [{"text_id": t, "product_id": t, "field": "title", "text": s} for t, s, _, _ in named],
        "mentions": [
            {
                "text_id": t,
                "start": 0,
                "end": len(s),
                "surface_form": s,
                "concept_id": c,
                "head_noun": "shirt",
                "modifiers": m,
                "domain": "product",
            }
            for t, s, c, m in named
        ],
        "phrases": [{"concept_id": c, "canonical_id": c, "head_noun": "shirt", "modifiers": m} for _, _, c, m in named],
        "concepts": [
            shared | {"concept_id": c, "label": " ".join([*m, "shirt"]), "modifiers": m} for _, _, c, m in named
        ],
    }
    for name, some in rows.items():
        pq.write_table(pa.Table.from_pylist(some, schema=TABLES[name].schema), folder / f"{name}.parquet")
    _write_manifest(folder, Manifest("r1", "0", {}, {}))
    (tmp_path / "out" / "current").symlink_to(Path("releases") / "r1")
    return tmp_path / "out"


def link(out: Path, source: str, *more: str, text: str | None = None) -> list[dict]:
    outcome = CliRunner().invoke(app, ["link", source, "--from", str(out), *more], input=text)
    if outcome.exception is not None:
        raise outcome.exception
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def found(row: dict) -> list[tuple[str, str, int, int]]:
    return [(c["label"], c["field"], c["start"], c["end"]) for c in row["concepts"]]


def test_records_keep_their_order_their_ids_and_their_fields(out: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    rows = [{"id": 7, "title": "\u0130 blue-shirts", "description": "\U0001f457 A shirt."}, {"id": 7, "text": None}]
    source.write_text("\n\n".join(json.dumps(row) for row in rows), "utf-8")
    first, second = link(out, str(source))
    assert (first["id"], second["id"], second["concepts"]) == ("7", "7", [])
    assert found(first) == [("blue shirt", "title", 2, 13), ("shirt", "description", 4, 9)]
    assert first["concepts"][0]["surface_form"] == "blue-shirts"
    assert first["concepts"][0]["concept_id"] == BLUE


def test_lines_of_the_standard_input_are_queries(out: Path) -> None:
    rows = link(out, "-", "--min-share", "0", text="blue shirts\n\nnothing\n")
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [found(row) for row in rows] == [[("blue shirt", "text", 0, 11)], [], []]


def test_parquet_of_a_release_and_a_file_to_write(out: Path, tmp_path: Path) -> None:
    target = tmp_path / "found.jsonl"
    assert link(out, str(out / "current" / "texts.parquet"), "--out", str(target)) == []
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [(row["id"], found(row)[0][0]) for row in rows] == [("t1", "blue shirt"), ("t2", "shirt")]


def test_readings_are_kept_for_the_release(out: Path) -> None:
    workspace = Workspace(out)
    first = readings_of(workspace, workspace.require_current())
    kept = list(workspace.cache.glob("readings-*"))
    assert len(kept) == 1
    assert readings_of(workspace, workspace.require_current()).equals(first)
    assert list(workspace.cache.glob("*")) == kept


@pytest.mark.parametrize("line", ["{", "[]", '{"id": 1}', '{"text": "shirt"}', '{"id": 1, "text": 5}'])
def test_a_record_that_cannot_be_read_is_named_and_nothing_is_written(out: Path, tmp_path: Path, line: str) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "found.jsonl"
    source.write_text('{"id": 1, "text": "shirt"}\n' + line, "utf-8")
    with pytest.raises(CatalogueError, match=r"in\.jsonl:2"):
        link(out, str(source), "--out", str(target))
    assert not list(tmp_path.glob("*found*"))


def test_half_a_surrogate_pair_is_read_as_one_character(out: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": 1, "text": "\\ud83d shirt"}', "utf-8")
    assert found(link(out, str(source))[0]) == [("shirt", "text", 2, 7)]
