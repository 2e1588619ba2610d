"""The proposed mapping of known catalogues, and what makes a catalogue count as changed."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgbuild.config import CatalogueConfig, Config, config_from_dict, config_to_dict, load_config, to_toml
from kgbuild.errors import CatalogueError
from kgbuild.ingest import catalogue_fingerprint, ingest_catalogue, propose_mapping

from .shop import COLUMNS, picture_bytes, product, write_csv, write_jsonl, write_pictures

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT.parent / "shared" / "data" / "catalog" / "val.parquet"


def test_the_sample_is_mapped_as_its_own_config_says() -> None:
    proposed, notes = propose_mapping(str(ROOT / "data" / "sample" / "catalogue.jsonl"))
    assert proposed.columns == load_config(ROOT / "data" / "sample" / "kgbuild.toml").catalogue.columns
    assert notes["catalogue.columns.title"] == "title: 403 of 405 rows filled, 6 words on average"
    assert "1 repeat an id" in notes["catalogue.columns.id"]
    assert notes["catalogue.columns"].endswith("not used: price")


@pytest.mark.catalogue
@pytest.mark.skipif(not CATALOGUE.exists(), reason="needs ../shared/data/catalog/val.parquet beside the checkout")
def test_the_real_catalogue_is_mapped_right() -> None:
    columns = propose_mapping(str(CATALOGUE))[0].columns
    assert (columns.id, columns.title, columns.brand, columns.images, columns.split) == (
        "id",
        "title",
        "brand",
        ("image",),
        "",
    )
    assert columns.texts == ("description", "style_note", "materials_care", "size_fit")
    assert columns.category == ("master_category", "sub_category", "article_type")
    assert columns.attributes == ("gender", "age_group", "base_colour", "season", "usage", "article_attributes")


def test_a_shop_export_with_other_names(tmp_path: Path) -> None:
    header = [
        "Handle",
        "Title",
        "Body (HTML)",
        "Vendor",
        "Type",
        "Tags",
        "Published",
        "Variant SKU",
        "Variant Price",
        "Image Src",
        "Image Position",
        "Status",
    ]
    names = ["red shirt", "blue dress", "green cap", "grey scarf"] * 5
    with (tmp_path / "products.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for number, name in enumerate(names):
            body = f"<p>A {name} with a <b>fine</b> collar and number {number} for all the days of work.</p>"
            url = f"https://cdn.example/files/{number}.jpg?v=1"
            writer.writerow(
                [
                    f"{name.replace(' ', '-')}-{number}",
                    name.title(),
                    body,
                    "Acme",
                    name.split()[1],
                    "sale, new",
                    "true",
                    f"S{number}",
                    9.9,
                    url,
                    1,
                    "active",
                ]
            )
    columns = propose_mapping(str(tmp_path / "products.csv"))[0].columns
    assert (columns.id, columns.title, columns.brand) == ("Handle", "Title", "Vendor")
    assert columns.texts == ("Body (HTML)",)
    assert columns.images == ("Image Src",)
    assert columns.category == ("Type",)


def test_columns_without_telling_names(tmp_path: Path) -> None:
    rows = [
        {"a": f"x{n}", "b": f"Fine Wool Coat {n}", "c": f"A long coat number {n} with two pockets and a belt at the waist.",
         "d": picture_bytes(n), "e": "Apparel/Coats", "f": 12.5 * n, "g": ["red", "blue", "green"][n % 3]}
        for n in range(30)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    columns = propose_mapping(str(tmp_path / "c.parquet"))[0].columns
    assert (columns.id, columns.title, columns.texts, columns.images) == ("a", "b", ("c",), ("d",))
    assert columns.attributes == ("g",)


def test_a_proposal_can_be_written_read_and_run(tmp_path: Path) -> None:
    write_pictures(tmp_path, range(6))
    for write, name in ((write_jsonl, "c.jsonl"), (write_csv, "c.csv")):
        write(tmp_path / name, [product(n) for n in range(6)])
        proposed, notes = propose_mapping(str(tmp_path / name))
        toml = to_toml(replace(Config(), catalogue=proposed), notes=notes)
        (tmp_path / "kgbuild.toml").write_text(toml)
        config = load_config(tmp_path / "kgbuild.toml")
        assert config.catalogue.columns == proposed.columns
        assert config_from_dict(config_to_dict(config)) == config
        assert sum(part.images.num_rows for part in ingest_catalogue(proposed, config.ingest)) == 6


def test_no_column_can_be_an_id(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "c.jsonl", [{"title": "same words every time"}] * 3)
    with pytest.raises(CatalogueError, match="no column can be an id"):
        propose_mapping(str(tmp_path / "c.jsonl"))
    (tmp_path / "bad.jsonl").write_text("not json\n")
    with pytest.raises(CatalogueError, match=r"no readable rows|can be an id|is empty"):
        propose_mapping(str(tmp_path / "bad.jsonl"))


def test_the_fingerprint_follows_content_not_place_or_time(tmp_path: Path) -> None:
    prints = []
    for place in ("here", "there"):
        folder = tmp_path / place
        write_pictures(folder, range(3))
        path = write_jsonl(folder / "c.jsonl", [product(n) for n in range(3)])
        prints.append(catalogue_fingerprint(CatalogueConfig(path=str(path), columns=COLUMNS)))
    assert prints[0] == prints[1]
    catalogue = CatalogueConfig(path=str(tmp_path / "here" / "c.jsonl"), columns=COLUMNS)
    (tmp_path / "here" / "notes.txt").write_text("not part of it")
    assert catalogue_fingerprint(catalogue) == prints[0]
    (tmp_path / "here" / "images" / "1.png").write_bytes(picture_bytes(1, size=(40, 40)))
    changed = catalogue_fingerprint(catalogue)
    assert changed != prints[0]
    write_jsonl(tmp_path / "here" / "c.jsonl", [product(n) for n in range(4)])
    assert catalogue_fingerprint(catalogue) not in (changed, prints[0])
