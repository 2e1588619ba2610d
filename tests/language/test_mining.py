import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.identity import concept_id
from kgbuild.language import extract_concepts, load_pipeline, mine_mentions
from kgbuild.tables import TABLES

DESCRIPTIONS = [
    "Blue round neck t-shirt made of 100% cotton, has short sleeves and a printed chest pocket",
    "Black leather shoes with white stripes and a rubber outsole",
    "A pair of brown sandals, has buckled straps and a cushioned footbed",
    "Red dress with a ribbed hem, side pockets and a zip closure at the back",
    "Composition\nGrey track pants made of polyester\nWash care\nMachine wash cold",
    "",
    "!!! ???",
]


@pytest.fixture(scope="module")
def nlp():
    return load_pipeline("en_kgbuild")


def tables(texts, *, field="description", title="Brand Men Blue Thing", brand=None):
    ids = [f"t{i}" for i in range(len(texts))]
    rows = pa.table({
        "text_id": pa.array(ids), "product_id": pa.array([f"p{i}" for i in range(len(texts))]),
        "field": pa.array([field] * len(texts)), "text": pa.array(texts, pa.string()),
    })  # fmt: skip
    products = pa.table({
        "product_id": pa.array([f"p{i}" for i in range(len(texts))]), "title": pa.array([title] * len(texts)),
        "brand": pa.array([brand] * len(texts), pa.string()),
    })  # fmt: skip
    return rows, products


def concepts_of(nlp, **record):
    made = next(iter(extract_concepts([{"id": "1", **record}], pipeline=nlp)))["concepts"]
    return {(c["head"], frozenset(c["modifiers"])) for c in made}


@pytest.mark.parametrize(
    "text",
    [
        "t-shirt in white with short sleeves",
        "white short sleeve t-shirt",
        "White Short Sleeves Tshirt",
    ],
)
def test_one_concept_under_many_forms(nlp, text):
    assert ("t-shirt", frozenset({"white", "short sleeve"})) in concepts_of(nlp, title=None, description=text)


def test_the_guidelines_own_examples(nlp):
    found = concepts_of(nlp, title=None, description="blue and white check shirt made of 100% cotton, has a round neck")
    assert ("shirt", frozenset({"blue", "white", "check", "cotton"})) in found
    assert ("neck", frozenset({"round"})) in found
    assert ("cotton", frozenset()) in found


def test_what_one_combines_the_product_with_is_no_concept(nlp):
    found = concepts_of(
        nlp, title="Puma Men Black Shoes", description="Team these shoes with jeans and tees for a cool casual look."
    )
    assert not {head for head, _ in found} & {"jeans", "tee", "look"}


def test_the_title_carries_the_gender_and_not_the_brand(nlp):
    found = concepts_of(nlp, title="ADIDAS Men Black Leather Shoes", description=None)
    assert found == {("shoe", frozenset({"men", "black", "leather"}))}


def test_mentions_conform_and_say_where_they_stand(nlp):
    mentions, rejects = mine_mentions(*tables(DESCRIPTIONS), pipeline=nlp, batch_size=3)
    assert mentions.schema.equals(TABLES["mentions"].schema)
    assert rejects.num_rows == 0
    assert mentions.num_rows > 10
    text_of = {f"t{i}": text for i, text in enumerate(DESCRIPTIONS)}
    for row in mentions.to_pylist():
        assert text_of[row["text_id"]][row["start"] : row["end"]] == row["surface_form"] != ""
        assert row["concept_id"] == concept_id(row["head_noun"], row["modifiers"])
        assert row["modifiers"] == sorted(set(row["modifiers"]))
        assert row["head_noun"]


def test_order_and_batch_size_change_nothing(nlp):
    whole, _ = mine_mentions(*tables(DESCRIPTIONS), pipeline=nlp, batch_size=64)
    texts, products = tables(DESCRIPTIONS)
    order = list(range(len(DESCRIPTIONS)))
    random.Random(1).shuffle(order)
    parts = [mine_mentions(texts.take([i]), products, pipeline=nlp, batch_size=1)[0] for i in order]
    again = pa.concat_tables(parts).sort_by([(key, "ascending") for key in TABLES["mentions"].key])
    assert again.equals(whole)


def test_boilerplate_is_not_mined(nlp):
    mentions, rejects = mine_mentions(*tables(DESCRIPTIONS, field="boilerplate:care"), pipeline=nlp)
    assert (mentions.num_rows, rejects.num_rows) == (0, 0)


def test_null_and_huge_texts_are_rejects(nlp):
    mentions, rejects = mine_mentions(*tables([None, "black shoes " * 20_000, "black leather shoes"]), pipeline=nlp)
    assert [(row["key"], row["reason"]) for row in rejects.to_pylist()] == [
        ("t0", "null_text"),
        ("t1", "text_too_long"),
    ]
    assert set(mentions["text_id"].to_pylist()) == {"t2"}


def test_the_brand_column_keeps_the_brand_out(nlp):
    title = "Leather Belt Women Brown Sandals"
    mentions, _ = mine_mentions(*tables([title], field="title", title=title, brand="Leather Belt"), pipeline=nlp)
    assert {row["head_noun"] for row in mentions.to_pylist()} == {"sandal"}
    assert all(not {"leather", "belt", "leather belt"} & set(row["modifiers"]) for row in mentions.to_pylist())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=3))
def test_any_text_keeps_the_offsets_law(texts):
    nlp = load_pipeline_once()
    mentions, _ = mine_mentions(*tables(texts), pipeline=nlp)
    for row in mentions.to_pylist():
        text = texts[int(row["text_id"][1:])]
        assert text[row["start"] : row["end"]] == row["surface_form"]


_KEPT = []


def load_pipeline_once():
    if not _KEPT:
        _KEPT.append(load_pipeline("en_kgbuild"))
    return _KEPT[0]


def test_no_later_mention_says_less(nlp):
    found = list(
        extract_concepts(
            [{"id": str(i), "title": "Men Blue Shirt", "description": d} for i, d in enumerate(DESCRIPTIONS)],
            pipeline=nlp,
        )
    )
    assert [record["id"] for record in found] == [str(i) for i in range(len(DESCRIPTIONS))]
    for record in found:
        seen = []
        for concept in record["concepts"]:
            units = frozenset(concept["modifiers"])
            assert not any(head == concept["head"] and units <= earlier for head, earlier in seen)
            seen.append((concept["head"], units))
