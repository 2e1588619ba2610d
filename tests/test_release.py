"""Releases on disk: whole or not there, the same bytes for the same rows, one pointer moved by one rename."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild import table_files
from kgbuild.errors import ReleaseError, TableError
from kgbuild.identity import file_sha256
from kgbuild.release import Release, StageRecord, Workspace, clear_record, read_record, write_record
from kgbuild.table_files import TableFolder, TableInfo, link_output, write_table
from kgbuild.tables import TABLES

SETTINGS = {"seed": 0, "catalogue": {"path": "a.csv"}, "prototypes": {"k": 5}, "run": {"workers": 0}}


def _texts(n: int, mark: str = "x") -> pa.Table:
    rows = [
        {"text_id": f"{i:05d}", "product_id": f"p{i % 7}", "field": "title", "text": mark * (i % 5)} for i in range(n)
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["texts"].schema)


def _products(n: int) -> pa.Table:
    rows = [
        {
            "product_id": f"{i:05d}",
            "title": f"Dress {i % 3}",
            "brand": None if i % 3 else "Brindley",
            "category_path": ["a", "b"][: i % 3],
            "attributes": [("colour", "red")] * (i % 2),
            "split": None,
        }
        for i in range(n)
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["products"].schema)


def _embeddings(n: int) -> pa.Table:
    values = random.Random(n)
    rows = [{"id": f"{i:05d}", "embedding": [values.random() for _ in range(4)]} for i in range(n)]
    return pa.Table.from_pylist(rows, schema=TABLES["image_embeddings"].schema)


def _cut(rows: pa.Table, sizes: list[int]) -> Iterator[pa.Table]:
    start = 0
    for size in sizes:
        yield rows.slice(start, size)
        start += size
    yield rows.slice(start)


def _stage(out: Workspace, mark: str = "x", *, made: str = "1") -> dict[str, StageRecord]:
    """What a build of one stage leaves in `next`."""
    out.next.mkdir(parents=True, exist_ok=True)
    outputs = {
        "texts": write_table(out.next, "texts", [_texts(20, mark)]),
        "rejects/ingest": write_table(out.next, "rejects/ingest", []),
    }
    record = StageRecord(made, made, outputs)
    write_record(out.next, "ingest", record)
    return {"ingest": record}


def _publish(out: Workspace, mark: str = "x", **settings_: object) -> tuple[Release, bool]:
    return out.publish(SETTINGS | settings_, "0.1.0", _stage(out, mark))


@given(
    st.sampled_from([("texts", _texts), ("products", _products), ("image_embeddings", _embeddings)]),
    st.integers(0, 60),
    st.lists(st.integers(0, 9), max_size=9),
)
@settings(max_examples=60, deadline=None)
def test_bytes_do_not_depend_on_the_pieces(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[str, object], n: int, sizes: list[int]
) -> None:
    name, make = made
    assert callable(make)
    rows = make(n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_files, "ROW_GROUP_ROWS", 16)
        one = write_table(tmp_path_factory.mktemp("one"), name, [rows], metadata={b"dim": b"4"})
        folder = tmp_path_factory.mktemp("many")
        many = write_table(folder, name, _cut(rows, sizes), metadata={b"dim": b"4"})
    assert many == one
    assert one == TableInfo(n, file_sha256(folder / f"{name}.parquet"))
    assert TableFolder(folder).table(name).to_pylist() == rows.to_pylist()
    assert TableFolder(folder).schema(name) == TABLES[name].schema
    assert (TableFolder(folder).schema(name).metadata or {})[b"dim"] == b"4"


def test_row_groups_have_a_fixed_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "ROW_GROUP_ROWS", 16)
    monkeypatch.setattr(table_files, "PICTURE_ROW_GROUP_ROWS", 4)
    write_table(tmp_path, "texts", _cut(_texts(40), [3, 30]))
    meta = pq.read_metadata(tmp_path / "texts.parquet")
    assert [meta.row_group(g).num_rows for g in range(meta.num_row_groups)] == [16, 16, 8]
    pictures = pa.table({"sha256": [f"{i}" for i in range(9)], "image": [b"x"] * 9})
    write_table(tmp_path, "pictures", [pictures])
    assert pq.read_metadata(tmp_path / "pictures.parquet").num_row_groups == 3


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    def pieces() -> Iterator[pa.Table]:
        yield _texts(3, "new")
        raise ZeroDivisionError

    write_table(tmp_path, "texts", [_texts(5)])
    before = (tmp_path / "texts.parquet").read_bytes()
    with pytest.raises(ZeroDivisionError):
        write_table(tmp_path, "texts", pieces())
    with pytest.raises(TableError):
        write_table(tmp_path, "texts", [_texts(5).drop_columns(["field"])])
    assert [path.name for path in tmp_path.iterdir()] == ["texts.parquet"]
    assert (tmp_path / "texts.parquet").read_bytes() == before


def test_a_folder_reads_whole_tables_and_pieces(tmp_path: Path) -> None:
    folder = TableFolder(tmp_path)
    write_table(tmp_path, "texts", [_texts(25)])
    write_table(tmp_path, "rejects/a", [pa.table({"stage": ["a"], "key": ["k"], "reason": ["r"], "detail": [""]})])
    write_table(tmp_path, "rejects/b", [pa.table({"stage": ["b"], "key": ["k"], "reason": ["r"], "detail": [""]})])
    (tmp_path / "rejects.parquet" / ".c.parquet.1.tmp").write_bytes(b"half a file")
    assert folder.table("texts", ["text"]).column_names == ["text"]
    assert [piece.num_rows for piece in folder.batches("texts", rows=10)] == [10, 10, 5]
    assert pa.concat_tables(folder.batches("texts", rows=7)).equals(folder.table("texts"))
    assert (folder.rows("texts"), folder.rows("rejects")) == (25, 2)
    assert folder.table("rejects")["stage"].to_pylist() == ["a", "b"]
    assert folder.has("rejects/a")
    assert not folder.has("rejects/c")
    with pytest.raises(ReleaseError, match="has no table mentions"):
        folder.table("mentions")


def test_publishing_moves_the_pointer_and_leaves_only_tables(tmp_path: Path) -> None:
    out = Workspace(tmp_path / "out")
    assert out.current() is None
    with pytest.raises(ReleaseError, match="holds no release") as caught:
        out.require_current()
    assert "kgbuild build" in caught.value.remedy
    stages = _stage(out)
    (out.next / ".texts.parquet.77.tmp").write_bytes(b"left by a kill")
    (out.next / "rejects.parquet" / ".ingest.parquet.77.tmp").write_bytes(b"left by a kill")
    write_table(out.next, "rejects/a_stage_that_is_no_more", [])
    (out.next / "mentions.parts" / "abc").mkdir(parents=True)
    release, changed = out.publish(SETTINGS, "0.1.0", stages)
    assert changed
    assert not out.next.exists()
    assert (tmp_path / "out" / "current").resolve() == release.path.resolve()
    found = sorted(path.relative_to(release.path).as_posix() for path in release.path.rglob("*"))
    assert found == ["manifest.json", "rejects.parquet", "rejects.parquet/ingest.parquet", "texts.parquet"]
    assert release.manifest.stages == stages
    assert release.manifest.rows() == {"texts": 20, "rejects": 0}
    assert out.require_current().manifest == release.manifest


def test_a_release_id_is_content_not_place_or_time(tmp_path: Path) -> None:
    one, _ = _publish(Workspace(tmp_path / "one"))
    other, _ = _publish(Workspace(tmp_path / "other"), catalogue={"path": "elsewhere.csv"}, run={"workers": 4})
    assert one.release_id == other.release_id == one.path.name
    assert _publish(Workspace(tmp_path / "third"), "y")[0].release_id != one.release_id
    assert _publish(Workspace(tmp_path / "fourth"), seed=1)[0].release_id != one.release_id


def test_a_manifest_has_the_same_bytes_for_the_same_content(tmp_path: Path) -> None:
    paths = [_publish(Workspace(tmp_path / name))[0].path / "manifest.json" for name in ("one", "other")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_same_content_again_changes_nothing_but_how_it_was_made(tmp_path: Path) -> None:
    out = Workspace(tmp_path)
    first, _ = _publish(out)
    history = (tmp_path / "history.jsonl").read_bytes()
    again, changed = _publish(out)
    assert (again.path, changed) == (first.path, False)
    assert not out.next.exists()
    _, changed = out.publish(SETTINGS, "0.1.0", _stage(out, made="2"))
    assert not changed
    # Were the new fingerprint not kept, every later build would run the stage again.
    assert out.require_current().manifest.stages["ingest"].fingerprint == "2"
    assert (tmp_path / "history.jsonl").read_bytes() == history


def test_content_published_before_comes_back_under_its_id(tmp_path: Path) -> None:
    out = Workspace(tmp_path)
    first, _ = _publish(out)
    second, _ = _publish(out, "y")
    third, changed = _publish(out)
    assert changed
    assert third.release_id == first.release_id
    assert third.table("texts").equals(_texts(20))
    assert sorted(path.name for path in out.releases.iterdir()) == sorted([first.release_id, second.release_id])


def test_pointing_back_and_pruning(tmp_path: Path) -> None:
    out = Workspace(tmp_path)
    ids = [_publish(out, mark)[0].release_id for mark in "abcd"]
    out.point_to(ids[1])
    assert out.require_current().release_id == ids[1]
    with pytest.raises(ReleaseError, match="has no release rxyz") as caught:
        out.point_to("rxyz")
    assert all(known in caught.value.remedy for known in ids)
    assert out.prune(2) == sorted([ids[0], ids[2]])
    assert sorted(path.name for path in out.releases.iterdir()) == sorted([ids[1], ids[3]])
    assert out.require_current().table("texts").num_rows == 20
    assert out.prune(2) == []


@pytest.mark.parametrize("damage", ["absent", "cut off", "not text"])
def test_pruning_never_takes_the_release_in_use(tmp_path: Path, damage: str) -> None:
    out = Workspace(tmp_path)
    ids = [_publish(out, mark)[0].release_id for mark in "abc"]
    history = tmp_path / "history.jsonl"
    out.point_to(ids[0])
    if damage == "absent":
        history.unlink()
    else:
        lines = history.read_bytes().splitlines()
        history.write_bytes(lines[0] + b"\n" + (lines[1][:20] if damage == "cut off" else b"\xff\x00"))
        out.point_to(ids[0])
    out.prune(1)
    assert out.require_current().release_id == ids[0]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"release_id": "r", "stages": 3}', "\x00"])
def test_a_damaged_manifest_is_named_and_its_remedies_work(tmp_path: Path, text: str) -> None:
    out = Workspace(tmp_path)
    good, _ = _publish(out, "a")
    bad, _ = _publish(out, "b")
    (bad.path / "manifest.json").write_text(text)
    with pytest.raises(ReleaseError, match=r"manifest\.json is damaged") as caught:
        out.current()
    assert "kgbuild use" in caught.value.remedy
    assert "OUT/current" in caught.value.remedy
    out.point_to(good.release_id)
    assert out.require_current().release_id == good.release_id
    out.point_to(bad.release_id)
    (tmp_path / "current").unlink()
    again, changed = _publish(out, "b")
    assert changed
    assert again.manifest.rows()["texts"] == 20


def test_a_folder_that_is_no_release_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="is no release"):
        Release(tmp_path)


def _hold(out: str, ready: object, done: object) -> None:
    with Workspace(Path(out)).lock():
        ready.set()  # type: ignore[attr-defined]
        done.wait(30)  # type: ignore[attr-defined]


def test_one_writer_at_a_time_and_the_other_is_named(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), ready, done))
    other.start()
    try:
        assert ready.wait(30)
        with pytest.raises(ReleaseError, match=f"process {other.pid} is already at work"), Workspace(tmp_path).lock():
            pass
    finally:
        done.set()
        other.join(30)
    with Workspace(tmp_path).lock():
        pass


def test_a_killed_writer_holds_no_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, never = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), ready, never))
    other.start()
    assert ready.wait(30)
    other.kill()
    other.join(30)
    with Workspace(tmp_path).lock():
        pass


def test_an_out_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    for out in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(ReleaseError, match="cannot be written to"), Workspace(out).lock():
            pass


def test_taking_over_copies_no_bytes_and_a_later_write_leaves_the_source_alone(tmp_path: Path) -> None:
    out = Workspace(tmp_path)
    release, _ = _publish(out)
    before = (release.path / "texts.parquet").read_bytes()
    for _ in range(2):  # over what lies there already, too
        link_output(release, out.next, "texts")
        link_output(release, out.next, "rejects/ingest")
    assert (out.next / "texts.parquet").stat().st_ino == (release.path / "texts.parquet").stat().st_ino
    write_table(out.next, "texts", [_texts(3, "other")])
    assert (release.path / "texts.parquet").read_bytes() == before


def test_taking_over_copies_where_links_are_not_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    out = Workspace(tmp_path)
    release, _ = _publish(out)
    monkeypatch.setattr("os.link", refuse)
    link_output(release, out.next, "texts")
    assert file_sha256(out.next / "texts.parquet") == file_sha256(release.path / "texts.parquet")


def test_a_record_counts_only_while_its_outputs_are_there(tmp_path: Path) -> None:
    out = Workspace(tmp_path)
    record = _stage(out)["ingest"]
    assert read_record(out.next, "ingest") == record
    assert read_record(out.next, "mentions") is None
    kept = tmp_path / "kept.parquet"
    shutil.move(out.next / "texts.parquet", kept)
    assert read_record(out.next, "ingest") is None
    shutil.move(kept, out.next / "texts.parquet")
    assert read_record(out.next, "ingest") == record
    clear_record(out.next, "ingest")
    clear_record(out.next, "ingest")
    assert read_record(out.next, "ingest") is None


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"fingerprint": "1", "row_fingerprint": "1", "outputs": {"texts": {"n": 1}}}']
)
def test_a_record_that_cannot_be_read_means_not_done(tmp_path: Path, text: str) -> None:
    out = Workspace(tmp_path)
    _stage(out)
    (out.next / "ingest.done.json").write_text(text)
    assert read_record(out.next, "ingest") is None


def test_history_says_what_was_published_in_order(tmp_path: Path) -> None:
    out = Workspace(tmp_path)
    ids = [_publish(out, mark)[0].release_id for mark in "ab"]
    out.point_to(ids[0])
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["release_id"] for line in lines] == [*ids, ids[0]]
