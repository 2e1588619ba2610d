"""What goes into the page: everything once, nothing as markup, no more than there is room for, the same bytes every time."""

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from small_release import HOSTILE, Catalogue, png

from kgbuild.serve import PageLimits, find_examples, write_page
from kgbuild.serve.examples import PASSAGE_CHARACTERS, cut_passage


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


def blocks(path):
    """The JSON blocks of a page, found as a browser finds them: up to the first closing tag."""
    text = path.read_text("utf-8")
    found = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script', text, flags=re.DOTALL)
    return {name: json.loads(content) for name, content in found}


def noise(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_every_concept_edge_and_picture_is_there_once(catalogue, tmp_path):
    report = write_page(tmp_path / "page.html", **catalogue.tables(), release_id="r1")
    found = blocks(report.path)
    assert found["data"]["id"] == [
        row["concept_id"]
        for row in sorted(catalogue.concepts.to_pylist(), key=lambda row: (-row["n_products"], row["label"]))
    ]
    assert len(found["data"]["edges"]) == catalogue.is_a_edges.num_rows == 10
    assert set(found["pictures"]["uris"]) == set(catalogue.bytes)
    assert report.n_bytes == report.path.stat().st_size
    assert (report.n_concepts, report.n_concepts_with_pictures, report.n_pictures) == (8, 8, 3)
    assert sum(len(asked) for asked in catalogue.asked) == 3  # each distinct picture is read once
    assert found["data"]["nProducts"] == 24


def test_texts_are_never_markup(catalogue, tmp_path):
    report = write_page(tmp_path / "page.html", **catalogue.tables(), title=HOSTILE)
    text = report.path.read_text("utf-8")
    assert "<img" not in text
    assert text.count("</script") == 3
    assert "\u2028" not in text.partition("</title>")[2]
    assert any("onerror" in example[2] for own in blocks(report.path)["data"]["examples"] for example in own)


def test_the_page_reaches_for_nothing_outside_itself(catalogue, tmp_path):
    text = write_page(tmp_path / "page.html", **catalogue.tables()).path.read_text("utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", text)
    assert not re.findall(r"https?://|url\(|@import|fetch\(|XMLHttpRequest", text)
    assert "default-src 'none'" in text


def test_same_tables_same_bytes_whatever_the_pieces(catalogue, tmp_path):
    one = write_page(tmp_path / "one.html", **catalogue.tables()).path.read_bytes()
    pieces = {
        name: [catalogue.tables()[name].slice(start, 5) for start in range(0, catalogue.tables()[name].num_rows, 5)]
        for name in ("products", "texts", "mentions")
    }
    two = write_page(tmp_path / "two.html", **catalogue.tables() | pieces).path.read_bytes()
    assert one == two


def test_a_small_budget_keeps_the_pictures_of_the_largest_concepts(tmp_path):
    catalogue = Catalogue()
    for seed, sha in enumerate(sorted(catalogue.bytes)):
        catalogue.bytes[sha] = noise(seed)
    limits = PageLimits(pictures_per_concept=1)
    whole = write_page(tmp_path / "whole.html", **catalogue.tables(), limits=limits)
    limits = replace(limits, max_bytes=whole.n_bytes - 1_000)
    part = write_page(tmp_path / "part.html", **catalogue.tables(), limits=limits)
    assert part.n_bytes <= limits.max_bytes
    assert 0 < part.n_concepts_with_pictures < whole.n_concepts_with_pictures == 8
    shown = blocks(part.path)
    first = shown["data"]["pictures"][0][0][0]
    assert first in shown["pictures"]["uris"]  # "dress" comes first: it has most products
    assert shown["pictures"]["shown"] == part.n_concepts_with_pictures


def test_unreadable_pictures_are_counted_and_left_out(tmp_path):
    catalogue = Catalogue()
    broken, absent = sorted(catalogue.bytes)[:2]
    catalogue.bytes[broken] = b"no picture"
    del catalogue.bytes[absent]
    report = write_page(tmp_path / "page.html", **catalogue.tables())
    assert (report.unreadable_pictures, report.n_pictures) == (2, 1)


def test_large_pictures_become_thumbnails(tmp_path):
    catalogue = Catalogue()
    for sha, size in zip(sorted(catalogue.bytes), [(640, 480), (1200, 1600), (60, 80)], strict=True):
        catalogue.bytes[sha] = png((90, 120, 40), size)
    report = write_page(tmp_path / "page.html", **catalogue.tables(), limits=PageLimits(thumbnail_side=100))
    sizes = set()
    for uri in blocks(report.path)["pictures"]["uris"].values():
        sizes.add(Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))).size)
    assert sizes == {(100, 75), (75, 100), (60, 80)}


def test_a_release_without_anything_is_still_a_page(catalogue, tmp_path):
    tables = {name: rows if name == "pictures" else rows.slice(0, 0) for name, rows in catalogue.tables().items()}
    report = write_page(tmp_path / "page.html", **tables)
    assert (report.n_concepts, report.n_examples) == (0, 0)


def test_examples_serve_broader_concepts_and_mark_the_mention(catalogue):
    found = find_examples(catalogue.concepts, [catalogue.mentions], [catalogue.texts], per_concept=3)
    assert set(found.passages) == set(catalogue.ids.values())  # "dress" itself is mentioned nowhere
    for concept in catalogue.concepts.to_pylist():
        own = found.passages[concept["concept_id"]]
        assert len({example.product_id for example in own}) == 3
        for example in own:
            marked = example.passage[example.start : example.end].lower().split()
            assert {"dress", *concept["modifiers"]} <= set(marked)
            assert len(example.passage) <= PASSAGE_CHARACTERS
    assert found.forms[catalogue.ids["long", "red"]] == [("red long dress", 8)]
    assert catalogue.ids[()] not in found.forms


@pytest.mark.parametrize(
    ("text", "start", "end", "passage", "marked"),
    [
        ("a red dress", 2, 11, "a red dress", "red dress"),
        ("red\n\n dress", 0, 11, "red dress", "red dress"),
        (" \n one  dress \n", 8, 13, "one dress", "dress"),
        ("x" * 300 + " red dress " + "y" * 300, 301, 310, "red dress", "red dress"),
        ("red dresses", 0, 9, "red dresses", "red dress"),
    ],
)
def test_passages_are_cut_between_words(text, start, end, passage, marked):
    example = cut_passage("p", "title", text, start, end)
    assert example.passage == passage
    assert example.passage[example.start : example.end] == marked
    assert (example.cut_before, example.cut_after) == (len(text) > 100, len(text) > 100)
