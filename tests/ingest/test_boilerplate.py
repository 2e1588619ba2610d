"""Sections that tell nothing about the product leave, and nothing that does: every line has one place."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.ingest import repair_text, split_sections
from kgbuild.ingest.boilerplate import KINDS

CATALOGUE = Path(__file__).resolve().parents[3] / "shared" / "data" / "catalog" / "val.parquet"
LINES = st.sampled_from(
    [
        "Wash care",
        "Warm iron",
        "Do not bleach",
        "Red shirt with a spread collar",
        "Model statistics",
        "Height-6', Shoulders-18\"",
        "Fit",
        "Regular",
        "Material and Care",
        "100% cotton",
        "Leather",
        "Warranty: 1 year",
        "Product Details",
        "Pair it with jeans.",
        "Width : 34 cm",
        "",
        "7. Do not wring",
        "The final product delivered might vary in colour. Pack of two briefs",
    ]
)


def test_sections_of_a_real_description() -> None:
    text = "\n".join(
        [
            "Composition",
            "Ink blue t-shirt made of 100% cotton, with short sleeves",
            "Fitting",
            "Regular",
            "Wash care",
            "Machine wash at 40 degrees",
            "Do not bleach",
            "Warm iron",
            "Indulge your adventurous side with this tee. Team it with jeans.",
            "Model statistics",
            "The model wears size M in t-shirts",
            "Height-6', Shoulders-18\"",
            "Warranty: 3 months against manufacturing defects",
        ]
    )
    kept, apart = split_sections(text)
    assert kept.split("\n") == [
        "Ink blue t-shirt made of 100% cotton, with short sleeves",
        "Indulge your adventurous side with this tee. Team it with jeans.",
    ]
    assert apart == {
        "care": "Wash care\nMachine wash at 40 degrees\nDo not bleach\nWarm iron",
        "heading": "Composition",
        "model_statistics": "Model statistics\nThe model wears size M in t-shirts\nHeight-6', Shoulders-18\"",
        "size": "Fitting\nRegular",
        "warranty": "Warranty: 3 months against manufacturing defects",
    }


def test_the_material_in_a_care_section_stays() -> None:
    assert split_sections("Material and Care\nCanvas\nWipe with a clean cloth to remove dust") == (
        "Canvas",
        {"care": "Material and Care\nWipe with a clean cloth to remove dust"},
    )
    assert split_sections("100% cotton\nHand wash", column="materials_care").text == "100% cotton"


@pytest.mark.parametrize(
    "line",
    [
        "White shirt with a washed look",
        "Stone washed jeans with an iron-on patch",
        "Comfort Insole made of contoured latex foam",
        "Warm fleece lining",
        "Regular collar with button tabs",
        "Fit and flare dress",
        "A model of elegance",
        "Dry-fit mesh upper",
        "Height of the heel makes it elegant",
        "Sizeable tote with two handles",
        "Guaranteed to maintain shape and appearance",
        "Cool blue shirt with long sleeves",
        "Light iron grey trousers",
        "Clean lines and a soft cloth upper",
        "Wide straps with care taken over each stitch",
        "Note the contrast piping",
    ],
)
def test_a_line_about_the_product_stays(line: str) -> None:
    assert split_sections(line).text == line
    assert split_sections(f"Wash care\nWarm iron\n{line}, made of wool").text.endswith("made of wool")


@given(st.lists(LINES | st.text(st.characters(exclude_characters="\n"), max_size=30), max_size=12))
@settings(deadline=None)
def test_every_line_has_one_place(lines: list[str]) -> None:
    text = "\n".join(lines)
    kept, apart = split_sections(text)
    placed = "\n".join([kept, *apart.values()]).split("\n")
    squeezed = sorted("".join(placed).replace(" ", ""))
    assert squeezed == sorted(text.replace("\n", "").replace(" ", ""))
    assert set(apart) <= set(KINDS)


@given(st.lists(LINES, max_size=12))
@settings(deadline=None)
def test_what_stays_has_no_section_left_in_it(lines: list[str]) -> None:
    kept = split_sections("\n".join(lines)).text
    assert split_sections(kept) == (kept, {})


@pytest.mark.catalogue
@pytest.mark.skipif(not CATALOGUE.exists(), reason="needs ../shared/data/catalog/val.parquet beside the checkout")
def test_care_leaves_the_real_catalogue() -> None:
    texts = [
        repair_text(text)
        for text in pq.read_table(CATALOGUE, columns=["description"])["description"].to_pylist()[:600]
        if text
    ]
    kept = [split_sections(text) for text in texts]
    for words in ("do not bleach", "warm iron", "the model wears size", "tumble dry", "machine wash", "wash care"):
        before = sum(words in text.lower() for text in texts)
        assert before > 20
        assert sum(words in sections.text.lower() for sections in kept) <= before / 100
    for words in ("round neck", "leather upper", "embroidered", "short sleeves", "rubber outsole"):
        assert sum(words in s.text.lower() for s in kept) == sum(words in text.lower() for text in texts)
