"""The same products give the same tables from every format, in whatever batches, from one file or several."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import fsspec
import pytest

from kgbuild.config import CatalogueConfig, ColumnsConfig, IngestConfig
from kgbuild.errors import CatalogueError
from kgbuild.ingest import ingest_catalogue, read_rows

from .shop import (
    COLUMNS,
    FIELDS,
    ingested,
    product,
    rejects_of,
    write_csv,
    write_jsonl,
    write_parquet,
    write_pictures,
)

ROWS = [
    *(product(n) for n in range(20)),
    product(20, brand=None, split=None, category="Apparel", gender=None),
    product(21, title="Crème \"quoted\", comma; semicolon", description="one\ntwo, \"three\"\n\nfour"),
    product(3, title="Used id"),
    product(22, images=["images/22.png", "images/1.png", "images/22.png"]),
    product(23, images=[]),
    product(24, title=None),
]  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_pictures(folder, range(25))
    write_jsonl(folder / "a.jsonl", ROWS)
    write_csv(folder / "b.csv", ROWS)
    write_csv(folder / "c.tsv", ROWS, delimiter="\t")
    write_parquet(folder / "d.parquet", ROWS)
    (folder / "e.ndjson.gz").write_bytes(gzip.compress((folder / "a.jsonl").read_bytes()))
    (folder / "f.csv.gz").write_bytes(gzip.compress((folder / "b.csv").read_bytes()))
    (folder / "g.csv").write_bytes((folder / "b.csv").read_bytes().replace(b"\r\n", b"\n"))
    (folder / "h.csv").write_text((folder / "b.csv").read_text("utf-8"), "utf-16", newline="")
    (folder / "no_suffix").write_bytes((folder / "d.parquet").read_bytes())
    return folder


@pytest.mark.parametrize(
    "name", ["b.csv", "c.tsv", "d.parquet", "e.ndjson.gz", "f.csv.gz", "g.csv", "h.csv", "no_suffix"]
)
def test_every_format_gives_the_same_tables(shop: Path, name: str) -> None:
    expected, got = ingested(shop / "a.jsonl", root=str(shop)), ingested(shop / name, root=str(shop))
    for table in ("products", "texts", "images", "pictures"):
        assert getattr(got, table).equals(getattr(expected, table)), table
    assert rejects_of(got) == rejects_of(expected)
    assert got.products.num_rows == 25


def test_batches_do_not_change_the_tables(shop: Path) -> None:
    whole = ingested(shop / "a.jsonl")
    for size in (1, 2, 7, 26):
        parts = ingested(shop / "a.jsonl", batch_rows=size)
        assert all(getattr(parts, table).equals(getattr(whole, table)) for table in whole._fields), size


def test_batches_are_conformed_and_small(shop: Path) -> None:
    parts = list(
        ingest_catalogue(CatalogueConfig(path=str(shop / "a.jsonl"), columns=COLUMNS), IngestConfig(), batch_rows=5)
    )
    assert max(part.products.num_rows for part in parts) <= 5
    hashes = [sha for part in parts for sha in part.pictures["sha256"].to_pylist()]
    assert len(hashes) == len(set(hashes)) == 24


def test_a_folder_is_its_files_by_name(shop: Path, tmp_path: Path) -> None:
    for name, part in (("2.jsonl", ROWS[9:]), ("1.jsonl", ROWS[:9])):
        write_jsonl(tmp_path / name, part)
    (tmp_path / "README.txt").write_text("not a catalogue")
    write_jsonl(tmp_path / ".hidden.jsonl", [product(99)])
    got, expected = ingested(tmp_path, root=str(shop)), ingested(shop / "a.jsonl")
    assert got.products.equals(expected.products)
    assert got.texts.equals(expected.texts)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    write_csv(mixed / "1.csv", ROWS[:9])
    write_parquet(mixed / "2.parquet", ROWS[9:])
    assert ingested(mixed, root=str(shop)).products.equals(expected.products)


def test_a_catalogue_behind_a_url(shop: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/shop/catalogue.jsonl", (shop / "a.jsonl").read_bytes())
    for number in range(25):
        memory.pipe(f"/shop/images/{number}.png", (shop / "images" / f"{number}.png").read_bytes())
    got, expected = ingested("memory://shop/catalogue.jsonl"), ingested(shop / "a.jsonl")
    assert got.images.drop_columns(["uri"]).equals(expected.images.drop_columns(["uri"]))
    assert got.pictures.equals(expected.pictures)
    assert ingested("memory://shop").products.equals(expected.products)


def test_category_columns_and_paths(tmp_path: Path) -> None:
    columns = ColumnsConfig(id="id", title="title", category=("a", "b"), attributes=("n", "flag", "list", "json"))
    row = {
        "id": 7,
        "title": "Shirt",
        "a": "Apparel",
        "b": "Shirts",
        "n": 3.0,
        "flag": True,
        "list": ["red", "blue"],
        "json": '{"z": 1, "b": ""}',
    }
    row_2 = {
        "id": "8",
        "title": "Shirt",
        "a": None,
        "b": "Shirts",
        "n": None,
        "flag": None,
        "list": [],
        "json": '{"z": ',
    }
    write_jsonl(tmp_path / "c.jsonl", [row, row_2])
    tables = ingested(tmp_path / "c.jsonl", columns=columns)
    first, second = tables.products.to_pylist()
    assert first["product_id"] == "7"
    assert first["category_path"] == ["Apparel", "Shirts"]
    assert first["attributes"] == [("flag", "true"), ("list", "red, blue"), ("n", "3"), ("z", "1")]
    assert second["category_path"] == ["Shirts"]
    assert second["attributes"] == []
    assert ("8", "attribute_broken") in rejects_of(tables)
    path = ColumnsConfig(id="id", title="title", category=("c",), category_separator="/")
    write_jsonl(
        tmp_path / "d.jsonl",
        [{"id": "1", "title": "x", "c": "A / B&amp;C//D"}, {"id": "2", "title": "x", "c": ["A", "B"]}],
    )
    assert ingested(tmp_path / "d.jsonl", columns=path).products["category_path"].to_pylist() == [
        ["A", "B&C", "D"],
        ["A", "B"],
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_missing_column_names_the_nearest(tmp_path: Path, suffix: str) -> None:
    rows = [{k: v for k, v in product(1).items() if k != "images"} | {"image_s": "x.png"}]
    path = tmp_path / f"c{suffix}"
    if suffix == ".csv":
        path.write_text(",".join(name if name != "images" else "image_s" for name in FIELDS) + "\n" + "x," * 8 + "x\n")
    else:
        (write_jsonl if suffix == ".jsonl" else write_parquet)(path, rows)
    with pytest.raises(CatalogueError, match="has no column 'images'") as error:
        list(read_rows(CatalogueConfig(path=str(path), columns=COLUMNS)))
    assert "did you mean 'image_s'?" in error.value.remedy


@pytest.mark.parametrize(
    ("name", "content", "message", "remedy"),
    [
        ("missing.csv", None, "there is no catalogue at", "did you mean .*missin.csv"),
        ("folder", {}, "holds no catalogue file", "known endings"),
        ("empty.jsonl", b"", "has no rows", "export it again"),
        ("header.csv", ",".join(FIELDS).encode() + b"\n", "has no rows", "export it again"),
        ("sheet.xlsx", b"PK\x03\x04", "of no known format", "known endings"),
        ("damaged.parquet", b"PAR1 but nothing more PAR1", "no readable Parquet file", "export it again"),
        (
            "damaged.jsonl.gz",
            gzip.compress(b'{"id": "1", "title": "x"}\n' * 9999)[:200],
            "is damaged",
            "copy or export",
        ),
        ("array.json", b'[{"id": "1"}]', "one JSON array", "jq"),
        ("ftpx://host/x", None, "protocol that is not known", "a URL that fsspec knows"),
        ("", None, "catalogue.path is empty", "name a Parquet"),
    ],
)
def test_a_catalogue_that_cannot_be_read(tmp_path: Path, name: str, content: object, message: str, remedy: str) -> None:
    (tmp_path / "missin.csv").write_text("")
    path = tmp_path / name
    if isinstance(content, dict):
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    target = name if "://" in name or not name else str(path)
    columns = ColumnsConfig(id="id", title="")
    with pytest.raises(CatalogueError, match=message) as error:
        list(read_rows(CatalogueConfig(path=target, columns=columns)))
    assert __import__("re").search(remedy, error.value.remedy)


def test_bad_lines_are_rejected_by_file_and_line(tmp_path: Path) -> None:
    lines = [json.dumps(product(1)), '{"id": "cut', "", "[1, 2]", '"text"', json.dumps(product(2)), "not json"]
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    tables = ingested(tmp_path / "c.jsonl")
    broken = [key for key, reason in rejects_of(tables) if reason == "row_broken"]
    assert broken == ["c.jsonl:2", "c.jsonl:4", "c.jsonl:5", "c.jsonl:7"]
    assert tables.products["product_id"].to_pylist() == ["p1", "p2"]
    (tmp_path / "c.csv").write_text("id,title\n1,x\n2,y,z\n3\n\n4,w\n")
    tables = ingested(tmp_path / "c.csv", columns=ColumnsConfig(id="id", title="title"))
    assert rejects_of(tables) == [("c.csv:3", "row_broken"), ("c.csv:4", "row_broken")]
    assert tables.products["product_id"].to_pylist() == ["1", "4"]


def test_the_order_of_rows_only_decides_which_duplicate_stays(shop: Path, tmp_path: Path) -> None:
    rows = [row for row in ROWS if row["title"] != "Used id"]
    random.Random(4).shuffle(rows)
    write_jsonl(tmp_path / "c.jsonl", rows)
    got, expected = ingested(tmp_path / "c.jsonl", root=str(shop)), ingested(shop / "a.jsonl")
    assert got.products.equals(expected.products)
    assert got.images.equals(expected.images)
