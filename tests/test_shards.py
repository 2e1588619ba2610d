"""Map stages: whatever the shards, whatever is taken over, whatever was interrupted, the tables are those of one plain call."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cheap_stages import STAGES, WORKED_ON, install
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild import table_files
from kgbuild.config import Config
from kgbuild.identity import image_id, text_id
from kgbuild.shards import (
    ShardResult,
    ShardTask,
    changed_products,
    ordered,
    part_metadata,
    parts_in_order,
    run_shard,
)
from kgbuild.stages import PIPELINE, Stage, rows_between, rows_with
from kgbuild.table_files import TableFolder, write_table
from kgbuild.tables import TABLES

MENTIONS, _, IMAGES = STAGES
BY_NAME = {stage.name: stage for stage in STAGES}


@dataclass(frozen=True)
class Product:
    """What decides a product's rows."""

    brand: str
    texts: tuple[str, ...]
    pictures: tuple[bytes, ...] = ()


Products = Mapping[str, Product]

WORDS = st.sampled_from(["red", "dress", "Acme", "why?", "blue shirt", "a red Acme dress"])
PRODUCTS = st.dictionaries(
    st.integers(0, 15).map(lambda n: f"p{n:02d}"),
    st.builds(
        Product,
        st.sampled_from(["Acme", "Bolt"]),
        st.lists(WORDS, max_size=3, unique=True).map(tuple),
        st.lists(st.sampled_from([b"1", b"2", b"3", b"4"]), max_size=2, unique=True).map(tuple),
    ),
    max_size=10,
)


@pytest.fixture(autouse=True)
def _cheap() -> object:
    install()
    WORKED_ON.clear()
    yield
    install(PIPELINE)


def _write(folder: Path, products: Products) -> TableFolder:
    rows: dict[str, list[dict[str, object]]] = {"products": [], "texts": [], "images": [], "pictures": []}
    for key, product in products.items():
        rows["products"].append(
            {
                "product_id": key,
                "title": "",
                "brand": product.brand,
                "category_path": [],
                "attributes": [],
                "split": None,
            }
        )
        for text in product.texts:
            rows["texts"].append({"text_id": text_id(key, "d", text), "product_id": key, "field": "d", "text": text})
        for data in product.pictures:
            sha = hashlib.sha256(data).hexdigest()
            rows["images"].append(
                {"image_id": image_id(key, sha), "product_id": key, "uri": "", "width": 1, "height": 1, "sha256": sha}
            )
    data = {d for p in products.values() for d in p.pictures}
    rows["pictures"] = [{"sha256": hashlib.sha256(d).hexdigest(), "image": d} for d in data]
    for name, body in rows.items():
        write_table(folder, name, [ordered(pa.Table.from_pylist(body, schema=TABLES[name].schema), name)])
    return TableFolder(folder)


def _tasks(
    stage: Stage, folder: TableFolder, parts: Path, size: int, base: TableFolder | None = None
) -> list[ShardTask]:
    assert stage.shard_by
    total = folder.rows(stage.shard_by)
    stale = changed_products(base, folder) if base else frozenset()
    where = base.path if base else None
    parts.mkdir(parents=True, exist_ok=True)
    return [
        ShardTask(stage.name, Config(), folder.path, where, stale, start, min(total, start + size), parts)
        for start in range(0, total, size)
    ]


def _collect(stage: Stage, done: list[ShardResult], target: Path) -> dict[str, tuple[int, str]]:
    """The written outputs, as (rows, hash of the bytes)."""
    infos = {
        output: write_table(target, output, parts_in_order(done, output), metadata=part_metadata(done, output))
        for output in stage.writes
    }
    return {output: (info.rows, info.sha256) for output, info in infos.items()}


def _plain(stage: Stage, folder: TableFolder, target: Path) -> dict[str, tuple[int, str]]:
    """The oracle: one call with the whole table."""
    assert stage.shard_by
    made = stage.fn(folder.table(stage.shard_by), folder, Config())
    metadata = {
        output: made[output].schema.metadata if folder.rows(stage.shard_by) and "/" not in output else None
        for output in stage.writes
    }
    infos = {
        output: write_table(target, output, [ordered(made[output], output)], metadata=metadata[output])
        for output in stage.writes
    }
    return {output: (info.rows, info.sha256) for output, info in infos.items()}


@given(PRODUCTS, st.integers(1, 30), st.sampled_from(["mentions", "image_embeddings"]))
@settings(max_examples=25, deadline=None)
def test_tables_do_not_depend_on_the_size_of_shards(
    tmp_path_factory: pytest.TempPathFactory, products: Products, size: int, name: str
) -> None:
    tmp = tmp_path_factory.mktemp("shards")
    folder, stage = _write(tmp / "in", products), BY_NAME[name]
    done = [run_shard(task) for task in _tasks(stage, folder, tmp / "parts", size)]
    made = _collect(stage, done, tmp / "out")
    assert made == _plain(stage, folder, tmp / "oracle")
    assert stage.shard_by
    assert sum(result.rows for result in done) == folder.rows(stage.shard_by)
    assert sum(sum(result.rejects.values()) for result in done) == made[stage.writes[1]][0]


@given(PRODUCTS, PRODUCTS, st.integers(1, 30), st.integers(1, 30), st.sampled_from(["mentions", "image_embeddings"]))
@settings(max_examples=30, deadline=None)
def test_rows_taken_over_equal_rows_made_anew(
    tmp_path_factory: pytest.TempPathFactory, old: Products, new: Products, one: int, other: int, name: str
) -> None:
    tmp, stage = tmp_path_factory.mktemp("shards"), BY_NAME[name]
    base = _write(tmp / "base", old)
    _collect(stage, [run_shard(task) for task in _tasks(stage, base, tmp / "p1", one)], base.path)
    folder = _write(tmp / "in", new)
    WORKED_ON.clear()
    done = [run_shard(task) for task in _tasks(stage, folder, tmp / "p2", other, base)]
    worked = {key for _, keys in WORKED_ON for key in keys}
    assert _collect(stage, done, tmp / "out") == _plain(stage, folder, tmp / "oracle")
    # What is worked on is exactly what the base lacks or what belongs to a product whose own row changed.
    assert stage.shard_by
    key = TABLES[stage.shard_by].key[0]
    changed = {p for p in new if p in old and new[p].brand != old[p].brand}
    before = set(base.table(stage.shard_by)[key].to_pylist())
    rows = folder.table(stage.shard_by).to_pylist()
    assert worked == {row[key] for row in rows if row[key] not in before or row["product_id"] in changed}
    assert sum(result.reused for result in done) == len(rows) - len(worked)


def test_nothing_is_called_where_all_is_taken_over_and_the_metadata_stays(tmp_path: Path) -> None:
    products = {"p": Product("Acme", (), (b"1", b"2", b"3"))}
    base = _write(tmp_path / "base", products)
    _collect(IMAGES, [run_shard(task) for task in _tasks(IMAGES, base, tmp_path / "p1", 2)], base.path)
    WORKED_ON.clear()
    folder = _write(tmp_path / "in", products)
    done = [run_shard(task) for task in _tasks(IMAGES, folder, tmp_path / "p2", 2, base)]
    _collect(IMAGES, done, tmp_path / "out")
    assert WORKED_ON == []
    metadata = TableFolder(tmp_path / "out").schema("image_embeddings").metadata
    assert metadata == {b"model": b"kgbuild", b"dim": b"4"}


def test_a_finished_shard_is_not_done_again(tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", {f"p{n}": Product("Acme", (f"red {n}", "why?")) for n in range(10)})
    tasks = _tasks(MENTIONS, folder, tmp_path / "parts", 4)
    first = [run_shard(task) for task in tasks[:3]]
    (tmp_path / "parts" / f".{tasks[3].part('mentions').name}.99.tmp").write_bytes(b"half a part")
    WORKED_ON.clear()
    done = [run_shard(task) for task in tasks]
    assert len(WORKED_ON) == len(tasks) - 3
    assert done[:3] == first
    assert _collect(MENTIONS, done, tmp_path / "out") == _plain(MENTIONS, folder, tmp_path / "oracle")


def test_a_shard_of_which_one_output_is_lacking_is_done_again(tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", {"p": Product("Acme", ("red", "why?"))})
    (task,) = _tasks(MENTIONS, folder, tmp_path / "parts", 9)
    run_shard(task)
    task.part("rejects/mentions").unlink()
    WORKED_ON.clear()
    assert sum(run_shard(task).rejects.values()) == 1
    assert len(WORKED_ON) == 1


def test_no_rows_make_no_tasks_and_empty_tables(tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", {})
    assert _tasks(IMAGES, folder, tmp_path / "parts", 4) == []
    assert {rows for rows, _ in _collect(IMAGES, [], tmp_path / "out").values()} == {0}
    assert TableFolder(tmp_path / "out").table("image_embeddings").schema == TABLES["image_embeddings"].schema


@given(st.integers(0, 50), st.integers(1, 9), st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=25, deadline=None)
def test_reading_ranges_equals_filtering_the_whole(
    tmp_path_factory: pytest.TempPathFactory, n: int, group: int, wanted: list[int]
) -> None:
    tmp = tmp_path_factory.mktemp("ranges")
    rows = [{"text_id": f"{i:02d}", "product_id": "p", "field": "d", "text": str(i)} for i in range(n)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_files, "ROW_GROUP_ROWS", group)
        write_table(tmp, "texts", [pa.Table.from_pylist(rows, schema=TABLES["texts"].schema)])
    keys = [f"{i:02d}" for i in wanted]
    values = pa.chunked_array([keys], pa.string())
    assert rows_with(TableFolder(tmp), "texts", "text_id", values).to_pylist() == [
        row for row in rows if row["text_id"] in keys
    ]
    between = rows_between(TableFolder(tmp), "texts", "text_id", values).to_pylist()
    assert between == [row for row in rows if keys and min(keys) <= row["text_id"] <= max(keys)]


@given(PRODUCTS, PRODUCTS)
@settings(max_examples=25, deadline=None)
def test_changed_products_are_those_that_both_have_with_another_row(
    tmp_path_factory: pytest.TempPathFactory, old: Products, new: Products
) -> None:
    tmp = tmp_path_factory.mktemp("changed")
    before, now = _write(tmp / "old", old), _write(tmp / "new", new)
    assert changed_products(before, now) == {p for p in new if p in old and new[p].brand != old[p].brand}


def test_a_stage_may_return_wider_types_than_its_table_has(tmp_path: Path) -> None:
    def loose(shard: pa.Table, tables: TableFolder, config: Config) -> Mapping[str, pa.Table]:
        made = dict(MENTIONS.fn(shard, tables, config))
        wide = made["mentions"]["start"].cast(pa.int64())
        return made | {"mentions": made["mentions"].set_column(1, "start", wide).append_column("extra", wide)}

    products = {f"p{n}": Product("Acme", (f"red {n}",)) for n in range(4)}
    base = _write(tmp_path / "base", {key: products[key] for key in ("p0", "p1")})
    _collect(MENTIONS, [run_shard(task) for task in _tasks(MENTIONS, base, tmp_path / "p1", 9)], base.path)
    install((replace(MENTIONS, fn=loose),))
    folder = _write(tmp_path / "in", products)
    (task,) = _tasks(MENTIONS, folder, tmp_path / "p2", 9, base)
    run_shard(task)
    assert pq.read_schema(task.part("mentions")) == TABLES["mentions"].schema
