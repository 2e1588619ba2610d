"""Products and texts: ids stay unique, what is missing, huge or mis-encoded is reported, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kgbuild.config import ColumnsConfig
from kgbuild.identity import text_id

from .shop import COLUMNS, FIELDS, ingested, product, rejects_of, texts_of, write_jsonl

PLAIN = ColumnsConfig(id="id", title="title", texts=("description", "care"))


def test_a_product_in_full(tmp_path: Path) -> None:
    row = product(
        1,
        description="<p>A red shirt.</p><p>Wash care</p><p>Warm iron</p>",
        images=None,
        title=" Tom &amp; Co\n Shirt ",
    )
    tables = ingested(write_jsonl(tmp_path / "c.jsonl", [row]))
    assert tables.products.to_pylist() == [
        {"product_id": "p1", "title": "Tom & Co Shirt", "brand": "Norvale", "category_path": ["Apparel", "Topwear"],
         "attributes": [("fabric", "cotton"), ("gender", "Women")], "split": "train"}
    ]  # fmt: skip
    assert texts_of(tables, "p1") == {
        "title": "Tom & Co Shirt", "description": "A red shirt.", "boilerplate:care": "Wash care\nWarm iron"
    }  # fmt: skip
    assert set(tables.texts["text_id"].to_pylist()) == {
        text_id("p1", field, text) for field, text in texts_of(tables, "p1").items()
    }


def test_boilerplate_may_stay(tmp_path: Path) -> None:
    row = product(1, description="A red shirt.\nWarm iron")
    path = write_jsonl(tmp_path / "c.jsonl", [row])
    assert texts_of(ingested(path, split_boilerplate=False), "p1")["description"] == "A red shirt.\nWarm iron"


def test_sections_of_several_columns_are_one_text_a_kind(tmp_path: Path) -> None:
    row = {"id": "1", "title": "Shirt", "description": "A red shirt.\nWarm iron", "care": "100% cotton\nDo not bleach"}
    tables = ingested(write_jsonl(tmp_path / "c.jsonl", [row]), columns=PLAIN)
    assert texts_of(tables, "1") == {
        "title": "Shirt", "description": "A red shirt.", "care": "100% cotton", "boilerplate:care": "Warm iron\nDo not bleach"
    }  # fmt: skip


def test_the_first_row_of_an_id_stays(tmp_path: Path) -> None:
    rows = [product(1), product(1, title="Second"), product(2), product(1, title="Third")]
    tables = ingested(write_jsonl(tmp_path / "c.jsonl", rows), batch_rows=1)
    assert tables.products["title"].to_pylist() == ["Red Shirt 1", "Red Shirt 2"]
    duplicates = [row["detail"] for row in tables.rejects.to_pylist() if row["reason"] == "duplicate_id"]
    assert [detail.split()[0] for detail in duplicates] == ["c.jsonl:2", "c.jsonl:4"]


def test_missing_ids_titles_and_texts(tmp_path: Path) -> None:
    rows = [
        product(1, id=None), product(2, id="  "), product(3, title=""), product(4, title=None, description=None, images=None),
        product(5, description=None), {"id": "p6", "title": "only a title"},
    ]  # fmt: skip
    tables = ingested(write_jsonl(tmp_path / "c.jsonl", rows))
    found = [pair for pair in rejects_of(tables) if pair[1] != "image_absent"]
    assert found == [("c.jsonl:1", "no_id"), ("c.jsonl:2", "no_id"), ("p3", "no_title"), ("p4", "nothing_usable")]
    assert tables.products["product_id"].to_pylist() == ["p3", "p5", "p6"]
    assert texts_of(tables, "p5") == {"title": "Red Shirt 5"}


def test_a_huge_text_is_cut_at_a_word_and_reported(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "c.jsonl", [product(1, description="red shirt " * 200_000, images=None)])
    tables = ingested(path, text_max_characters=1005)
    text = texts_of(tables, "p1")["description"]
    assert 900 < len(text) <= 1005
    assert set(text.split()) == {"red", "shirt"}
    detail = next(row["detail"] for row in tables.rejects.to_pylist() if row["reason"] == "text_cut")
    assert detail == "description: 2,000,000 characters, cut at 1,005"


def test_a_huge_cell_of_a_csv(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,title,description,care\n1,Shirt," + "red " * 100_000 + ",\n2,Cap,blue,\n")
    tables = ingested(tmp_path / "c.csv", columns=PLAIN)
    assert tables.products.num_rows == 2
    assert rejects_of(tables) == [("1", "text_cut")]


def test_bytes_that_are_not_utf8_are_read_and_reported(tmp_path: Path) -> None:
    line = json.dumps(product(1, description="A café au lait colour", images=None), ensure_ascii=False)
    (tmp_path / "c.jsonl").write_bytes(line.encode("latin-1") + b"\n" + json.dumps(product(2)).encode() + b"\n")
    tables = ingested(tmp_path / "c.jsonl")
    assert texts_of(tables, "p1")["description"] == "A café au lait colour"
    assert ("p1", "text_not_utf8") in rejects_of(tables)
    cells = ["1", "Crème", "x", "", "Café", "A > B", "", "", ""]
    (tmp_path / "c.csv").write_bytes((",".join(FIELDS) + "\n" + ",".join(cells) + "\n").encode("cp1252"))
    tables = ingested(tmp_path / "c.csv")
    assert tables.products.to_pylist()[0]["title"] == "Crème"
    assert tables.products.to_pylist()[0]["brand"] == "Café"
    assert ("1", "text_not_utf8") in rejects_of(tables)


def test_parquet_strings_that_are_not_utf8(tmp_path: Path) -> None:
    raw = pa.array(["Crème".encode("latin-1"), b"Cap"], pa.binary()).view(pa.string())
    table = pa.table(
        {"id": ["1", "2"], "title": raw, "description": pa.array([None, b"caf\xe9"], pa.binary()), "care": ["", None]}
    )
    pq.write_table(table, tmp_path / "c.parquet")
    tables = ingested(tmp_path / "c.parquet", columns=PLAIN)
    assert tables.products["title"].to_pylist() == ["Crème", "Cap"]
    assert texts_of(tables, "2")["description"] == "café"
    assert rejects_of(tables) == [("1", "text_not_utf8"), ("2", "text_not_utf8")]


def test_file_names_that_are_not_utf8_do_not_stop_the_run(tmp_path: Path) -> None:
    line = json.dumps(product(1, images="caf\u00e9.png"), ensure_ascii=False).encode("latin-1")
    (tmp_path / "c.jsonl").write_bytes(line + b"\n")
    assert ("p1", "image_absent") in rejects_of(ingested(tmp_path / "c.jsonl"))


def test_lone_surrogates_do_not_stop_the_run(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text(
        '{"id": "a\\ud800", "title": "b\\udc80", "brand": "\\udfff", "gender": {"\\ud800": "\\ud800"}}\n'
    )
    columns = ColumnsConfig(id="id", title="title", brand="brand", attributes=("gender",))
    assert ingested(tmp_path / "c.jsonl", columns=columns).products.num_rows == 1
    assert COLUMNS.id == "id"
