import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.identity import concept_id
from kgbuild.language import extract_concepts, load_miner, mine_mentions
from kgbuild.language.phrases import Memory
from kgbuild.language.pipeline import Miner
from kgbuild.language.sentences import sentences
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
def miner():
    return load_miner("en_kgbuild")


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


def concepts_of(miner, **record):
    made = next(iter(extract_concepts([{"id": "1", **record}], miner=miner)))["concepts"]
    return {(c["head"], frozenset(c["modifiers"])) for c in made}


@pytest.mark.parametrize(
    "text",
    [
        "t-shirt in white with short sleeves",
        "white short sleeve t-shirt",
        "White Short Sleeves Tshirt",
    ],
)
def test_one_concept_under_many_forms(miner, text):
    assert ("t-shirt", frozenset({"white", "short sleeve"})) in concepts_of(miner, title=None, description=text)


def test_the_guidelines_own_examples(miner):
    found = concepts_of(
        miner, title=None, description="blue and white check shirt made of 100% cotton, has a round neck"
    )
    assert ("shirt", frozenset({"blue", "white", "check", "cotton"})) in found
    assert ("neck", frozenset({"round"})) in found
    assert ("cotton", frozenset()) in found


def test_what_one_combines_the_product_with_is_no_concept(miner):
    found = concepts_of(
        miner, title="Puma Men Black Shoes", description="Team these shoes with jeans and tees for a cool casual look."
    )
    assert not {head for head, _ in found} & {"jeans", "tee", "look"}


def test_the_title_carries_the_gender_and_not_the_brand(miner):
    found = concepts_of(miner, title="ADIDAS Men Black Leather Shoes", description=None)
    assert found == {("shoe", frozenset({"men", "black", "leather"}))}


def test_mentions_conform_and_say_where_they_stand(miner):
    mentions, rejects = mine_mentions(*tables(DESCRIPTIONS), miner=miner, batch_size=3)
    assert mentions.schema.equals(TABLES["mentions"].schema)
    assert rejects.num_rows == 0
    assert mentions.num_rows > 10
    text_of = {f"t{i}": text for i, text in enumerate(DESCRIPTIONS)}
    for row in mentions.to_pylist():
        assert text_of[row["text_id"]][row["start"] : row["end"]] == row["surface_form"] != ""
        assert row["concept_id"] == concept_id(row["head_noun"], row["modifiers"])
        assert row["modifiers"] == sorted(set(row["modifiers"]))
        assert row["head_noun"]


def test_order_and_batch_size_change_nothing(miner):
    whole, _ = mine_mentions(*tables(DESCRIPTIONS), miner=miner, batch_size=64)
    texts, products = tables(DESCRIPTIONS)
    order = list(range(len(DESCRIPTIONS)))
    random.Random(1).shuffle(order)
    parts = [mine_mentions(texts.take([i]), products, miner=miner, batch_size=1)[0] for i in order]
    again = pa.concat_tables(parts).sort_by([(key, "ascending") for key in TABLES["mentions"].key])
    assert again.equals(whole)


def test_boilerplate_is_not_mined(miner):
    mentions, rejects = mine_mentions(*tables(DESCRIPTIONS, field="boilerplate:care"), miner=miner)
    assert (mentions.num_rows, rejects.num_rows) == (0, 0)


def test_null_and_huge_texts_are_rejects(miner):
    mentions, rejects = mine_mentions(*tables([None, "black shoes " * 20_000, "black leather shoes"]), miner=miner)
    assert [(row["key"], row["reason"]) for row in rejects.to_pylist()] == [
        ("t0", "null_text"),
        ("t1", "text_too_long"),
    ]
    assert set(mentions["text_id"].to_pylist()) == {"t2"}


def test_the_brand_column_keeps_the_brand_out(miner):
    title = "Leather Belt Women Brown Sandals"
    mentions, _ = mine_mentions(*tables([title], field="title", title=title, brand="Leather Belt"), miner=miner)
    assert {row["head_noun"] for row in mentions.to_pylist()} == {"sandal"}
    assert all(not {"leather", "belt", "leather belt"} & set(row["modifiers"]) for row in mentions.to_pylist())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=3))
def test_any_text_keeps_the_offsets_law(texts):
    mentions, _ = mine_mentions(*tables(texts), miner=load_miner_once())
    for row in mentions.to_pylist():
        text = texts[int(row["text_id"][1:])]
        assert text[row["start"] : row["end"]] == row["surface_form"]


_KEPT = []


def load_miner_once():
    if not _KEPT:
        _KEPT.append(load_miner("en_kgbuild"))
    return _KEPT[0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(DESCRIPTIONS[:5]) | st.text(alphabet="ab .!?;\n\"')A1", max_size=30), max_size=6),
    st.integers(0, 3),
)
def test_memory_changes_nothing(texts, size):
    nlp = load_miner_once().nlp
    fresh, _ = mine_mentions(*tables(texts), miner=Miner(nlp, Memory()))
    crowded = Miner(nlp, Memory(size))
    for text in texts:
        mine_mentions(*tables([text]), miner=crowded)
    assert mine_mentions(*tables(texts), miner=crowded)[0].equals(fresh)


def test_reading_a_whole_text_is_reading_its_sentences(miner):
    for text in DESCRIPTIONS:
        whole = miner.nlp(text)._.concepts
        apart = [
            (c.head, c.modifiers, offset + c.start, offset + c.end)
            for offset, sentence in sentences(text)
            for c in miner.nlp(sentence)._.concepts
        ]
        assert [(c.head, c.modifiers, c.start, c.end) for c in whole] == apart


@given(st.text(alphabet="ab .!?;\n\"')A1,\u00a0", max_size=60))
def test_sentences_cover_the_text_and_are_cut_no_further(text):
    cut = list(sentences(text))
    assert all(text[start : start + len(piece)] == piece == piece.strip() != "" for start, piece in cut)
    assert all(list(sentences(piece)) == [(0, piece)] for _, piece in cut)
    kept = {start + i for start, piece in cut for i in range(len(piece))}
    assert all(c.isspace() or c in "\"')" for i, c in enumerate(text) if i not in kept)


def test_no_later_mention_says_less(miner):
    found = list(
        extract_concepts(
            [{"id": str(i), "title": "Men Blue Shirt", "description": d} for i, d in enumerate(DESCRIPTIONS)],
            miner=miner,
        )
    )
    assert [record["id"] for record in found] == [str(i) for i in range(len(DESCRIPTIONS))]
    for record in found:
        seen = []
        for concept in record["concepts"]:
            units = frozenset(concept["modifiers"])
            assert not any(head == concept["head"] and units <= earlier for head, earlier in seen)
            seen.append((concept["head"], units))
