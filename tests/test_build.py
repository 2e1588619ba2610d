"""Builds: only what changed is done again, nothing is lost to a kill or a full disk, and expanding equals building at once.

The stages are cheap ones (see cheap_stages) with the shapes of the real ones; ingest is the real one.
"""

from __future__ import annotations

import errno
import io
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cheap_stages
import pytest
from cheap_stages import STAGES, WORKED_ON, install, settings_for, write_catalogue
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kgbuild import shards as shards_module
from kgbuild.build import BuildReport, build, expand, plan, run_stage
from kgbuild.config import Config
from kgbuild.errors import CatalogueError, ConfigError, KgbuildError, ReleaseError
from kgbuild.release import Release, Workspace
from kgbuild.stages import PIPELINE

Row = Mapping[str, object]

PICTURES = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90), (250, 250, 0), (0, 250, 250)]


@pytest.fixture(autouse=True)
def _cheap() -> object:
    install()
    WORKED_ON.clear()
    yield
    install(PIPELINE)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index, colour in enumerate(PICTURES):
        stream = io.BytesIO()
        Image.new("RGB", (40, 32), colour).save(stream, "PNG")
        (folder / f"{index}.png").write_bytes(stream.getvalue())
    return folder


def _product(n: int, pictures: Path, *, words: str = "red dress", brand: str = "Acme") -> dict[str, object]:
    return {
        "id": f"p{n:03d}",
        "title": f"{brand} {words}",
        "description": f"A {words} number {n}" + ("?" if n % 7 == 3 else ""),
        "images": [str(pictures / f"{n % len(PICTURES)}.png")],
        "brand": brand,
        "category": "Apparel > Dress",
    }


def _products(numbers: Sequence[int], pictures: Path, **given_: str) -> list[dict[str, object]]:
    return [_product(n, pictures, **given_) for n in numbers]


def _bytes(release: Release) -> dict[str, bytes]:
    """Every file of a release but its manifest."""
    files = sorted(path for path in release.path.rglob("*.parquet") if path.is_file())
    return {path.relative_to(release.path).as_posix(): path.read_bytes() for path in files}


def _how(report: BuildReport) -> dict[str, str]:
    return {stage.name: stage.how for stage in report.stages}


def _actions(planned: Any) -> dict[str, str]:
    return {stage.name: stage.action for stage in planned}


def _done(report: BuildReport) -> set[str]:
    """The stages that were run, wholly or on new rows."""
    return {stage.name for stage in report.stages if stage.how.startswith("built")}


@pytest.fixture
def config(tmp_path: Path, pictures: Path) -> Config:
    catalogue = write_catalogue(tmp_path / "a.jsonl", _products(range(20), pictures))
    return settings_for(catalogue, shard_rows=8)


def test_a_second_run_does_nothing_and_says_so(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = build(config, out)
    before = _bytes(first.release) | {"manifest": (first.release.path / "manifest.json").read_bytes()}
    WORKED_ON.clear()
    assert set(_actions(plan(config, out)).values()) == {"keep"}
    second = build(config, out)
    assert first.changed
    assert not second.changed
    assert set(_how(second).values()) == {"reused"}
    assert WORKED_ON == []
    assert second.release.release_id == first.release.release_id
    assert _bytes(second.release) | {"manifest": (second.release.path / "manifest.json").read_bytes()} == before
    assert sorted(path.name for path in out.iterdir()) == [".lock", "current", "history.jsonl", "releases"]


def test_the_report_counts_rows_and_rejects(config: Config, tmp_path: Path) -> None:
    report = build(config, tmp_path / "out")
    rows = {name: count for stage in report.stages for name, count in stage.rows.items()}
    assert rows["products"] == 20
    assert rows["texts"] == 40
    assert report.rejects["a_question"] == 3
    assert report.release.manifest.rows()["rejects"] == sum(report.rejects.values())


@pytest.mark.parametrize(
    ("change", "redone"),
    [
        ({"concepts": {"min_products": 5}}, {"concepts"}),
        ({"encoder": {"model": "other"}}, {"image_embeddings"}),
        ({"language": {"batch_size": 7}}, {"mentions"}),
        ({"ingest": {"picture_max_side": 16}}, {"ingest", "image_embeddings"}),
        ({"run": {"shard_rows": 3, "workers": 1}}, set()),
        ({"store": {"heap": "1g"}, "training": {"epochs": 3}}, set()),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_changed_setting_redoes_only_what_depends_on_it(
    config: Config, tmp_path: Path, change: dict[str, dict[str, Any]], redone: set[str]
) -> None:
    out = tmp_path / "out"
    build(config, out)
    changed = config
    for section, values in change.items():
        changed = replace(changed, **{section: replace(getattr(changed, section), **values)})
    planned = _actions(plan(changed, out))
    report = build(changed, out)
    assert _done(report) == redone
    assert {name for name, action in planned.items() if action != "keep"} >= redone
    fresh = build(changed, tmp_path / "fresh")
    assert _bytes(report.release) == _bytes(fresh.release)
    assert report.release.release_id == fresh.release.release_id


def test_pictures_kept_otherwise_are_embedded_anew(config: Config, tmp_path: Path) -> None:
    # The images keep their ids, which are of the pictures as found.
    out = tmp_path / "out"
    before = build(config, out).release
    after = build(replace(config, ingest=replace(config.ingest, picture_max_side=16)), out).release
    assert after.table("images").equals(before.table("images"))
    assert not after.table("pictures").equals(before.table("pictures"))
    assert not after.table("image_embeddings").equals(before.table("image_embeddings"))


def test_a_catalogue_in_another_order_is_read_again_but_gives_the_same(
    config: Config, tmp_path: Path, pictures: Path
) -> None:
    out = tmp_path / "out"
    first = build(config, out)
    write_catalogue(tmp_path / "a.jsonl", _products(range(19, -1, -1), pictures))
    second = build(config, out)
    assert _done(second) == {"ingest"}
    assert not second.changed
    assert second.release.release_id == first.release.release_id
    assert set(_how(build(config, out)).values()) == {"reused"}


def test_new_rows_alone_are_worked_on(config: Config, tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "out"
    first = build(config, out)
    new = write_catalogue(tmp_path / "b.jsonl", _products([40, 41], pictures, words="blue shirt"))
    WORKED_ON.clear()
    planned = _actions(plan(config, out, new_products=new))
    assert planned == {
        "ingest": "run", "mentions": "run on new rows", "concepts": "run", "image_embeddings": "run on new rows",
    }  # fmt: skip
    report = expand(config, new, out)
    assert _how(report)["mentions"] == "built, 40 of 44 texts taken over"
    added = set(report.release.table("texts")["text_id"].to_pylist()) - set(
        first.release.table("texts")["text_id"].to_pylist()
    )
    assert {key for name, keys in WORKED_ON for key in keys if name == "mentions"} == added
    assert Release(first.release.path).table("products").num_rows == 20


def test_expanding_with_what_is_there_changes_nothing(config: Config, tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "out"
    first = build(config, out)
    same = write_catalogue(tmp_path / "b.jsonl", _products([3, 4, 5], pictures))
    report = expand(config, same, out)
    assert not report.changed
    assert report.release.release_id == first.release.release_id
    assert set(_how(expand(config, same, out)).values()) == {"reused"}


def test_expanding_nothing_is_refused(config: Config, tmp_path: Path, pictures: Path) -> None:
    new = write_catalogue(tmp_path / "b.jsonl", _products([1], pictures))
    with pytest.raises(ReleaseError, match="holds no release"):
        expand(config, new, tmp_path / "out")


def _parts(draw: st.DrawFn, pictures: Path) -> tuple[list[Row], list[Row]]:
    """Two catalogues; some ids are in both, with the same row or another."""
    words = st.sampled_from(["red dress", "blue shirt", "red shirt?", "green Acme dress"])
    rows = st.builds(
        lambda n, w, b: _product(n, pictures, words=w, brand=b),
        st.integers(0, 14),
        words,
        st.sampled_from(["Acme", "Bolt"]),
    )
    lists = st.lists(rows, min_size=1, max_size=10, unique_by=lambda row: row["id"])
    return draw(lists), draw(lists)


@given(st.data())
@settings(max_examples=12, deadline=None)
def test_building_a_and_expanding_by_b_equals_building_both_at_once(
    tmp_path_factory: pytest.TempPathFactory, pictures: Path, data: st.DataObject
) -> None:
    a, b = data.draw(st.composite(lambda draw: _parts(draw, pictures))())
    tmp = tmp_path_factory.mktemp("law")
    out = tmp / "out"
    config = settings_for(write_catalogue(tmp / "a.jsonl", a), shard_rows=3)
    build(config, out)
    grown = expand(config, write_catalogue(tmp / "b.jsonl", b), out)
    newer = {row["id"] for row in b}
    # An updated product replaces the older one, so a build of both holds it once.
    both = write_catalogue(tmp / "both.jsonl", [*b, *(row for row in a if row["id"] not in newer)])
    at_once = build(settings_for(both, shard_rows=5), tmp / "at_once")
    assert _bytes(grown.release) == _bytes(at_once.release)
    assert grown.release.release_id == at_once.release.release_id


def test_three_steps_in_any_order_give_the_same_release(tmp_path: Path, pictures: Path) -> None:
    rows = _products(range(18), pictures)
    random.Random(5).shuffle(rows)
    parts = [write_catalogue(tmp_path / f"{i}.jsonl", rows[i::3]) for i in range(3)]
    ids = set()
    for order in ((0, 1, 2), (2, 0, 1)):
        out = tmp_path / "".join(map(str, order))
        config = settings_for(parts[order[0]])
        build(config, out)
        expand(config, parts[order[1]], out)
        ids.add(expand(config, parts[order[2]], out).release.release_id)
    assert len(ids) == 1


def test_an_updated_product_leaves_nothing_of_its_old_self(tmp_path: Path, pictures: Path) -> None:
    old = [_product(0, pictures, words="purple hat?"), *_products([1, 2], pictures)]
    config = settings_for(write_catalogue(tmp_path / "a.jsonl", old))
    out = tmp_path / "out"
    build(config, out)
    update = _product(0, pictures, words="red dress") | {"images": [str(pictures / "5.png")]}
    release = expand(config, write_catalogue(tmp_path / "b.jsonl", [update]), out).release
    assert "purple" not in json.dumps(release.table("texts").to_pylist())
    assert "purple" not in json.dumps(release.table("rejects").to_pylist())
    kept = set(release.table("images")["sha256"].to_pylist())
    assert set(release.table("pictures")["sha256"].to_pylist()) == kept
    assert set(release.table("mentions")["text_id"].to_pylist()) <= set(release.table("texts")["text_id"].to_pylist())


def test_a_brand_alone_that_changes_is_seen_in_the_mentions(tmp_path: Path, pictures: Path) -> None:
    # The text, and so its id, stays: what is taken over must look at the product too.
    row = _product(0, pictures)
    config = settings_for(write_catalogue(tmp_path / "a.jsonl", [row, *_products([1, 2], pictures)]))
    out = tmp_path / "out"
    build(config, out)
    release = expand(config, write_catalogue(tmp_path / "b.jsonl", [row | {"brand": "dress"}]), out).release
    texts = [r["text_id"] for r in release.table("texts").to_pylist() if r["product_id"] == "p000"]
    words = {r["surface_form"] for r in release.table("mentions").to_pylist() if r["text_id"] in texts}
    assert "Acme" in words
    assert "dress" not in words


def test_running_one_stage_does_it_again_and_what_depends_on_it(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = build(config, out)
    WORKED_ON.clear()
    again = run_stage(config, "mentions", out)
    assert _how(again) == {
        "ingest": "reused", "mentions": "built", "concepts": "reused", "image_embeddings": "reused",
    }  # fmt: skip
    assert len({key for _, keys in WORKED_ON for key in keys}) == 40
    assert not again.changed
    other = replace(config, concepts=replace(config.concepts, min_products=6))
    changed = run_stage(other, "concepts", out)
    assert changed.changed
    assert changed.release.release_id != first.release.release_id
    assert _done(run_stage(other, "ingest", out)) == {"ingest"}
    assert _done(run_stage(other, "mentions", out, force=False)) == set()


def test_a_stage_that_does_not_exist_is_named_with_those_that_do(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no stage 'mention'") as caught:
        run_stage(config, "mention", tmp_path / "out")
    assert all(name in caught.value.remedy for name in ("ingest", "mentions", "concepts"))
    with pytest.raises(ReleaseError, match="holds no release"):
        run_stage(config, "mentions", tmp_path / "out")


def test_a_build_without_a_usable_catalogue_says_so(tmp_path: Path, config: Config) -> None:
    with pytest.raises(CatalogueError, match="no catalogue is given"):
        build(Config(), tmp_path / "out")
    with pytest.raises(CatalogueError, match="absent"):
        build(settings_for(tmp_path / "absent.jsonl"), tmp_path / "out")
    empty = write_catalogue(tmp_path / "empty.jsonl", [{"id": "", "title": ""}, {"id": "", "title": "x"}])
    plain = settings_for(empty)
    bare = replace(
        plain.catalogue, columns=replace(plain.catalogue.columns, texts=(), images=(), brand="", category=())
    )
    with pytest.raises(CatalogueError, match="no usable product; 2 rows were rejected"):
        build(replace(plain, catalogue=bare), tmp_path / "out")
    assert Workspace(tmp_path / "out").current() is None
    assert build(config, tmp_path / "out").changed


def test_a_stage_that_fails_leaves_the_release_in_use_and_the_next_run_goes_on(
    config: Config, tmp_path: Path, pictures: Path
) -> None:
    out = tmp_path / "out"
    first = build(config, out)
    write_catalogue(tmp_path / "a.jsonl", _products(range(30), pictures))

    def fail(*_: object) -> Any:
        raise ZeroDivisionError

    install(tuple(replace(stage, fn=fail) if stage.name == "concepts" else stage for stage in STAGES))
    with pytest.raises(ZeroDivisionError):
        build(config, out)
    assert Workspace(out).require_current().release_id == first.release.release_id
    install()
    planned = plan(config, out)
    assert _actions(planned) == {
        "ingest": "keep", "mentions": "keep", "concepts": "run", "image_embeddings": "run on new rows",
    }  # fmt: skip
    assert planned[1].reason == "finished by an interrupted build"
    report = build(config, out)
    assert _how(report)["ingest"] == _how(report)["mentions"] == "resumed"
    assert _bytes(report.release) == _bytes(build(config, tmp_path / "fresh").release)


def test_a_plan_after_an_interrupted_expansion_is_that_of_what_is_asked(
    config: Config, tmp_path: Path, pictures: Path
) -> None:
    out = tmp_path / "out"
    build(config, out)
    write_catalogue(tmp_path / "a.jsonl", _products(range(30), pictures))

    def fail(*_: object) -> Any:
        raise ZeroDivisionError

    install(tuple(replace(stage, fn=fail) if stage.name == "mentions" else stage for stage in STAGES))
    with pytest.raises(ZeroDivisionError):
        build(config, out)
    install()
    planned = _actions(plan(config, out))
    assert planned["ingest"] == "keep"
    assert {planned[name] for name in ("mentions", "image_embeddings")} == {"run on new rows"}


def test_tables_of_an_interrupted_run_do_not_pass_for_those_of_another(config: Config, tmp_path: Path) -> None:
    """Run 1 finishes a stage and fails later; run 2 with other settings writes over its table and fails; run 1 is asked for again."""
    out = tmp_path / "out"

    def fail(*_: object) -> Any:
        raise ZeroDivisionError

    other = replace(config, concepts=replace(config.concepts, min_products=21))
    failing = tuple(replace(stage, fn=fail) if stage.name == "image_embeddings" else stage for stage in STAGES)
    install(failing)
    with pytest.raises(ZeroDivisionError):
        build(config, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "kgbuild.build._Run._done", fail
        )  # dies after the table is written, before the stage is marked as done
        with pytest.raises(ZeroDivisionError):
            build(other, out)
    install()
    assert _bytes(build(config, out).release) == _bytes(build(config, tmp_path / "fresh").release)


def _program(out: Path, catalogue: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, cheap_stages.__file__, str(out), str(catalogue), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("point", "resumed"),
    [
        ("ingest:3", set()),
        ("mentions:4", {"ingest"}),
        ("concepts:1", {"ingest", "mentions"}),
        ("publish:rename", {"ingest", "mentions", "concepts", "image_embeddings"}),
        ("publish:point", None),
    ],
)
def test_a_kill_loses_nothing(
    config: Config, tmp_path: Path, pictures: Path, point: str, resumed: set[str] | None
) -> None:
    out, catalogue = tmp_path / "out", tmp_path / "a.jsonl"
    first = build(config, out)
    before = _bytes(first.release)
    new = write_catalogue(tmp_path / "b.jsonl", _products(range(30, 45), pictures, words="blue shirt"))
    killed = _program(out, catalogue, "--expand", str(new), "--kill", point)
    assert killed.returncode == -9, killed.stderr
    current = Workspace(out).require_current()
    assert current.release_id == first.release.release_id
    assert _bytes(current) == before
    WORKED_ON.clear()
    report = expand(config, new, out)
    assert report.changed
    if resumed is not None:
        assert {name for name, how in _how(report).items() if how == "resumed"} == resumed
    if point == "mentions:4":  # three of its shards were whole
        assert 0 < len([name for name, _ in WORKED_ON if name == "mentions"]) <= -(-70 // 8) - 3
    both = write_catalogue(
        tmp_path / "both.jsonl",
        [*_products(range(20), pictures), *_products(range(30, 45), pictures, words="blue shirt")],
    )
    assert _bytes(report.release) == _bytes(build(settings_for(both), tmp_path / "fresh").release)
    left = sorted(path.name for path in report.release.path.rglob("*") if path.name.endswith((".tmp", ".json")))
    assert left == ["manifest.json"]
    assert not (out / "next").exists()


def test_a_full_disk_is_explained_and_loses_nothing(config: Config, tmp_path: Path) -> None:
    out, catalogue = tmp_path / "out", tmp_path / "a.jsonl"
    first = build(config, out)
    rows = catalogue.read_text().replace("red dress", "red dress with a long train")
    catalogue.write_text(rows)
    full = _program(out, catalogue, "--file-limit", "1500")  # bytes a file: to the program, a disk that is full
    assert full.returncode == 1, full.stderr
    assert "is full" in full.stderr
    assert "finished stages are kept" in full.stderr
    assert "Traceback" not in full.stderr
    assert Workspace(out).require_current().release_id == first.release.release_id
    assert build(config, out).changed


def test_a_disk_that_fills_up_in_a_later_stage_keeps_the_earlier_ones(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_part = shards_module._write_part

    def full(path: Path, rows: Any) -> None:
        if "image_embeddings" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_part(path, rows)

    monkeypatch.setattr(shards_module, "_write_part", full)
    with pytest.raises(KgbuildError, match="is full") as caught:
        build(config, out)
    assert "run the same command again" in caught.value.remedy
    assert Workspace(out).current() is None
    monkeypatch.undo()
    assert {name for name, how in _how(build(config, out)).items() if how == "resumed"} == {
        "ingest",
        "mentions",
        "concepts",
    }


def test_other_failures_of_the_system_are_not_taken_for_a_full_disk(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(shards_module, "_write_part", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        build(config, tmp_path / "out")


def test_only_so_many_releases_are_kept(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    reports = []
    for k in (2, 3, 4):
        changed = replace(
            config, concepts=replace(config.concepts, min_products=k), run=replace(config.run, keep_releases=2)
        )
        reports.append(build(changed, out))
    assert reports[2].pruned == (reports[0].release.release_id,)
    assert sorted(path.name for path in (out / "releases").iterdir()) == sorted(
        r.release.release_id for r in reports[1:]
    )


def test_a_catalogue_without_pictures_builds(tmp_path: Path) -> None:
    rows = [
        {"id": f"{n}", "title": "red dress", "description": "", "images": None, "brand": "", "category": ""}
        for n in range(3)
    ]
    report = build(settings_for(write_catalogue(tmp_path / "a.jsonl", rows)), tmp_path / "out")
    assert report.release.table("image_embeddings").num_rows == 0
    assert set(_how(build(settings_for(tmp_path / "a.jsonl"), tmp_path / "out")).values()) == {"reused"}
