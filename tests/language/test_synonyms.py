"""Synonyms: what is merged and why, that the merges hold in every table, and the laws of the whole."""

from __future__ import annotations

from itertools import product as pairs_of

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.errors import ConfigError
from kgbuild.identity import concept_id
from kgbuild.language.concepts import aggregate_concepts
from kgbuild.language.synonyms import find_synonyms
from kgbuild.language.synonyms_forms import nouns_of
from kgbuild.language.synonyms_spelling import spelling_pairs, spelling_rule
from kgbuild.naming import ByHand, by_hand, canonical_mentions
from kgbuild.tables import TABLES

laws = settings(deadline=None, max_examples=100)

Mention = tuple[int, bool, str, frozenset[str]]
"""Product, whether in its title, head, units."""

HEADS = [
    "shirt",
    "t-shirt",
    "tshirt",
    "neck",
    "polo neck",
    "separator",
    "seperator",
    "flip flop",
    "flip-flop",
    "zip neck",
]
UNITS = [
    "grey",
    "gray",
    "stainless",
    "steel",
    "stainless steel",
    "polo",
    "full",
    "full sleeve",
    "flip-flop",
    "v neck",
    "print",
    "zip",
    "zipped",
    "full zipped",
]
said = st.tuples(
    st.integers(0, 9), st.booleans(), st.sampled_from(HEADS), st.frozensets(st.sampled_from(UNITS), max_size=4)
)
catalogues = st.lists(said, max_size=40)
files = st.builds(
    lambda merge, apart: {"merge": merge, "keep_apart": apart},
    st.lists(st.lists(st.sampled_from([*HEADS, *UNITS]), min_size=2, max_size=3, unique=True), max_size=2),
    st.just([]) | st.just([["grey", "gray"]]) | st.just([["shirt", "t-shirt"], ["polo", "full"]]),
)


def tables(mentioned: list[Mention]) -> tuple[pa.Table, pa.Table, pa.Table]:
    rows = [
        {
            "text_id": f"t{number}-{int(title)}",
            "start": place,
            "end": place + 1,
            "surface_form": " ".join([*sorted(units), head]),
            "concept_id": concept_id(head, units),
            "head_noun": head,
            "modifiers": sorted(units),
        }
        for place, (number, title, head, units) in enumerate(mentioned)
    ]
    numbers = sorted({number for number, *_ in mentioned} | set(range(10)))
    texts = [
        {"text_id": f"t{number}-{side}", "product_id": f"p{number}", "field": "title" if side else "description"}
        for number in numbers
        for side in (0, 1)
    ]
    products = [{"product_id": f"p{number}", "category_path": ["Apparel", f"c{number % 2}"]} for number in numbers]
    return (
        pa.Table.from_pylist(rows, schema=TABLES["mentions"].schema),
        pa.Table.from_pylist(texts),
        pa.Table.from_pylist(products),
    )


def found(mentioned: list[Mention], decided: ByHand | None = None) -> tuple[list[dict[str, object]], pa.Table]:
    synonyms, phrases = find_synonyms(*tables(mentioned), by_hand=decided or ByHand())
    assert synonyms.schema.equals(TABLES["synonyms"].schema)
    assert phrases.schema.equals(TABLES["phrases"].schema)
    return synonyms.to_pylist(), phrases


def merged(mentioned: list[Mention], decided: ByHand | None = None) -> dict[tuple[str, str], str]:
    rows, _ = found(mentioned, decided)
    return {(r["kind"], r["name"]): r["canonical"] for r in rows if r["decision"] in ("merged", "by_hand")}  # type: ignore[misc]


def say(head: str, *units: str, products: range, title: bool = False) -> list[Mention]:
    return [(number, title, head, frozenset(units)) for number in products]


@laws
@given(catalogues, st.randoms())
def test_the_order_of_rows_does_not_matter(mentioned: list[Mention], random: object) -> None:
    mentions, texts, products = tables(mentioned)
    once = find_synonyms(mentions, texts, products)
    order = list(range(len(mentioned)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = find_synonyms(
        mentions.take(pa.array(order, pa.int64())),
        texts.take(pa.array(range(texts.num_rows - 1, -1, -1))),
        products.take(pa.array(range(products.num_rows - 1, -1, -1))),
    )
    assert [table.to_pylist() for table in once] == [table.to_pylist() for table in again]


@laws
@given(catalogues, files)
def test_phrases_name_every_concept_and_are_canonical_themselves(mentioned: list[Mention], values: dict) -> None:
    try:
        decided = by_hand(values, "here")
    except ConfigError:
        return
    _, phrases = found(mentioned, decided)
    mentions = tables(mentioned)[0]
    assert set(phrases["concept_id"].to_pylist()) == set(mentions["concept_id"].to_pylist())
    for row in phrases.to_pylist():
        assert row["canonical_id"] == concept_id(row["head_noun"], row["modifiers"])
        assert row["modifiers"] == sorted(set(row["modifiers"]))
        words = row["head_noun"].split()
        assert not any(word in words for unit in row["modifiers"] for word in unit.split())
    canonical = {row["canonical_id"] for row in phrases.to_pylist()}
    renamed = {row["concept_id"]: row["canonical_id"] for row in phrases.to_pylist()}
    assert all(renamed[one] == one for one in canonical & set(renamed))  # merging what is merged changes nothing


@laws
@given(catalogues)
def test_a_report_has_no_chains_and_no_cycles_and_the_commoner_name_wins(mentioned: list[Mention]) -> None:
    rows, _ = found(mentioned)
    named = [row for row in rows if row["decision"] == "merged" and row["kind"] in ("word", "name")]
    assert not {row["name"] for row in named} & {row["canonical"] for row in named}
    for row in rows:
        assert row["support"] <= row["canonical_support"] or row["kind"] == "name"  # type: ignore[operator]


@laws
@given(catalogues)
def test_no_two_concepts_have_a_label_and_none_says_a_word_twice(mentioned: list[Mention]) -> None:
    mentions, texts, _ = tables(mentioned)
    renamed = canonical_mentions(mentions, found(mentioned)[1])
    for some in (mentions, renamed):
        concepts, _ = aggregate_concepts(some, texts, min_products=1, max_modifiers=4)
        labels = concepts["label"].to_pylist()
        assert len(labels) == len(set(labels))
        assert all(len(label.split()) == len(set(label.split())) for label in labels)


@laws
@given(catalogues)
def test_supports_after_a_merge_are_those_of_the_union(mentioned: list[Mention]) -> None:
    """The definition, product by product: whoever says either spelling says the concept."""
    mentions, texts, _ = tables(mentioned)
    decided = by_hand({"merge": [["shirt", "t-shirt", "tshirt"]]}, "here")
    renamed = canonical_mentions(mentions, found(mentioned, decided)[1])
    concepts, _ = aggregate_concepts(renamed, texts, min_products=1, max_modifiers=0)
    sayers = {number for number, _, head, _ in mentioned if head in ("shirt", "t-shirt", "tshirt")}
    counted = [row["n_products"] for row in concepts.to_pylist() if row["head_noun"] in ("shirt", "t-shirt", "tshirt")]
    assert counted == ([len(sayers)] if sayers else [])


LONG = range(20)


def test_spellings_of_the_same_company_are_one() -> None:
    mentioned = [
        *say("separator", "zippered", products=LONG),
        *say("seperator", "zippered", products=range(20, 22)),
        *say("shirt", "grey", products=LONG),
        *say("shirt", "gray", products=range(20, 25)),
        *say("shirt", "grey stripe", products=LONG),
        *say("shirt", "gray stripe", products=range(20, 25)),
        *say("dress", "red", products=range(30, 90)),
    ]
    assert merged(mentioned) == {("word", "seperator"): "separator", ("word", "gray"): "grey"}
    _, phrases = found(mentioned)
    assert {unit for row in phrases.to_pylist() for unit in row["modifiers"]} == {
        "zippered",
        "grey",
        "grey stripe",
        "red",
    }


def test_the_same_letters_with_another_company_are_two() -> None:
    mentioned = [
        *say("jacket", "leather", products=LONG),
        *say("t-shirt", "heather", products=range(20, 22)),
        *say("belt", "strap", products=LONG),
        *say("hat", "straw", products=range(20, 22)),
        *say("dress", "red", products=range(30, 90)),
    ]
    assert merged(mentioned) == {}


def test_hyphens_and_joins_in_names_of_several_words() -> None:
    mentioned = [
        *say("flip flop", "black", products=LONG),
        *say("flip-flop", "black", products=range(20, 23)),
        *say("flipflop", "black", products=range(23, 24)),
        *say("strap", "flip-flop", products=range(3)),
        *say("pocket", "kids wear", products=range(9)),
        *say("pocket", "kidswear", products=range(3)),
    ]
    _, phrases = found(mentioned)
    rows = phrases.to_pylist()
    assert {row["head_noun"] for row in rows} == {"flip flop", "strap", "pocket"}
    assert {tuple(row["modifiers"]) for row in rows} == {("black",), ("flip flop",), ("kids wear",)}


def test_words_that_stand_together_are_cut_in_one_way() -> None:
    mentioned = [
        *say("buckle", "stainless steel", products=range(9)),
        *say("buckle", "stainless", "steel", products=range(9, 12)),
        *say("buckle", "steel", products=range(12, 20)),
    ]
    assert merged(mentioned) == {("cut", "buckle: stainless + steel"): "buckle: stainless steel"}
    white = [
        *say("shirt", "white stripe", products=range(9)),
        *say("shirt", "white", "stripe", products=range(9, 12)),
        *say("shirt", "white", products=range(12, 40)),
    ]
    assert merged(white) == {}  # a white shirt with stripes is no shirt with white stripes
    mentions, texts, _ = tables(white)
    labels = aggregate_concepts(mentions, texts, min_products=1, max_modifiers=4)[0]["label"].to_pylist()
    assert sorted(labels) == [
        "shirt",
        "stripe shirt",
        "white shirt",
        "white stripe shirt",
    ]  # and no "stripe white shirt"


ZIPPED = [
    *(mention for head in ("pocket", "fly", "bag") for mention in say(head, "zipped", products=range(8))),
    *(mention for head in ("pocket", "fly", "bag") for mention in say(head, "zip", products=range(8, 11))),
    *(mention for head in ("pocket", "fly") for mention in say(head, "zippered", products=range(11, 18))),
    *(mention for head in ("bag", "hood") for mention in say(head, "zippered", products=range(11, 22))),
    *say("pocket", "front zip", "black", products=range(22, 24)),
    *say("hood", "zip", products=range(30, 33)),
    *say("puller", "zip", products=range(40, 45)),
    *say("zip", "metal", products=range(50, 60)),
    *say("flap", "zipped", products=range(60, 80)),
    *say("flap", "zippered", products=range(80, 100)),
    *say("tab", "zippered", products=range(100, 101)),
]


def names(phrases: pa.Table) -> set[str]:
    return {" ".join([*row["modifiers"], row["head_noun"]]) for row in phrases.to_pylist()}


def test_a_noun_and_its_participle_before_one_head_are_one() -> None:
    rows, phrases = found(ZIPPED)
    assert names(phrases) == {
        "black front zipped pocket", "zipped pocket", "zipped fly", "zipped flap", "zippered bag", "zippered hood", "zippered tab",
        "zip puller", "metal zip",
    }  # fmt: skip
    forms = {(row["name"], row["canonical"]): row for row in rows if row["kind"] == "form"}
    assert {pair: row["decision"] for pair, row in forms.items()} == {
        ("zip", "zipped"): "merged", ("zip", "zippered"): "merged"
    }  # fmt: skip
    row = forms["zip", "zippered"]
    assert (row["support"], row["canonical_support"], row["rule"]) == (13, 32, "participle")
    assert "'zip bag' (3 and 11)" in str(row["evidence"])


def test_no_adverb_stands_before_a_noun() -> None:
    heads = ("upper", "tongue", "shoe")
    mesh = [mention for head in heads for mention in say(head, "mesh", products=range(9))]
    mesh += [mention for head in heads for mention in say(head, "meshed", products=range(9, 12))]
    mesh += [
        *say("upper", "heavily meshed", products=range(20, 23)),
        *say("upper", "fine meshed", products=range(23, 25)),
    ]
    assert {name for name in names(found(mesh)[1]) if "upper" in name} == {
        "mesh upper", "heavily meshed upper", "fine mesh upper"
    }  # fmt: skip


def test_letters_alone_make_no_forms() -> None:
    lined = [
        *(mention for head in ("coat", "boot", "bag") for mention in say(head, "lined", products=range(9))),
        *(mention for head in ("print", "groove", "chart") for mention in say(head, "line", products=range(9))),
        *say("coat", "line", products=range(9, 12)),
    ]
    rows, phrases = found(lined)
    assert "line coat" in names(phrases)
    assert [(row["name"], row["decision"]) for row in rows] == [("lined", "proposed")]
    both_at_once = [(number, title, head, units | {"zip"}) for number, title, head, units in ZIPPED]
    assert "zip zipped pocket" in names(found(both_at_once)[1])


def test_heads_of_one_stem_with_the_same_modifiers_are_proposed() -> None:
    necks = [
        *(m for unit in ("round", "wide", "v") for m in say("neck", unit, products=LONG)),
        *(m for unit in ("round", "wide", "v", "plunging") for m in say("neckline", unit, products=range(20, 23))),
        *(m for unit in ("round", "gold", "long") for m in say("necklace", unit, products=LONG)),
        *(m for unit in ("silk", "long", "gold") for m in say("necker", unit, products=LONG)),
    ]
    rows, phrases = found(necks)
    assert [(row["kind"], row["name"], row["canonical"], row["decision"]) for row in rows] == [
        ("head", "neckline", "neck", "proposed")
    ]
    assert "'round' (3 and 20)" in str(rows[0]["evidence"])
    assert "of the 12 where one modifies 'neckline'" in str(rows[0]["evidence"])
    assert "round neckline" in names(phrases)
    assert "round neckline" not in names(found(necks, by_hand({"merge": [["neck", "neckline"]]}, "here"))[1])
    kept, _ = found(necks, by_hand({"keep_apart": [["neck", "neckline"]]}, "here"))
    assert [row["decision"] for row in kept] == ["kept_apart"]


def test_a_person_overrules_forms() -> None:
    apart = by_hand({"keep_apart": [["zip", "zipped"], ["bag: zip", "bag: zippered"]]}, "here")
    rows, phrases = found(ZIPPED, apart)
    assert {"zip bag", "zipped bag", "zippered bag", "zippered hood", "zippered pocket"} <= names(phrases)
    assert {(row["name"], row["canonical"], row["decision"]) for row in rows} == {
        ("zip", "zipped", "kept_apart"), ("zip", "zippered", "merged")
    }  # fmt: skip
    few = [
        *say("coat", "hooded", products=range(5)),
        *say("coat", "hood", products=range(5, 7)),
        *say("hood", products=LONG),
    ]
    assert {"hooded coat", "hood coat"} <= names(found(few)[1])
    rows, phrases = found(few, by_hand({"merge": [["hood", "hooded"]]}, "here"))
    assert names(phrases) == {"hooded coat", "hood"}
    assert [row["decision"] for row in rows] == ["by_hand"]


def one_by_one(head: str, **units: int) -> list[Mention]:
    """Each unit (with _ for a blank) said of the head by so many products of its own."""
    at, made = 0, []
    for unit, n in units.items():
        made += say(head, unit.replace("_", " "), products=range(at, at + n))
        at += n
    return made


def test_forms_end_where_names_and_heads_end() -> None:
    """What forms make is called by the names in force, and a head that it spells is that head."""
    jacket = [
        *one_by_one("jacket", full_zip=1, full_zipped=1, zip=6, zipped=5),
        *say("jacket", "full-zip", products=range(40, 42)),
    ]
    decided = by_hand({"merge": [["zip", "zipped"]]}, "here")
    assert names(found(jacket, decided)[1]) == {"zip jacket", "full-zip jacket"}
    neck = [*say("zipped neck", products=range(90, 93)), *one_by_one("neck", front_zipped=9, front_zip=5, zip=3)]
    phrases = found(neck, decided)[1].to_pylist()
    of = {row["concept_id"]: (row["head_noun"], *row["modifiers"]) for row in phrases}
    assert of[concept_id("neck", ["zip"])] == of[concept_id("zipped neck", [])] == ("zipped neck",)
    assert of[concept_id("neck", ["front zip"])] == of[concept_id("neck", ["front zipped"])] == ("neck", "front zipped")


@pytest.mark.parametrize(("mentioned", "merge", "keep_apart", "left"), [
    (one_by_one("bag", zipped=3, zip=2, zippered=2), ["zip", "zipped", "zippered"], [["bag: zip", "bag: zippered"]],
     {"zipped bag", "zippered bag"}),
    (one_by_one("jacket", full_zip=9, full_zipped=9), ["zip", "zipped"], [["full zip", "full zipped"]],
     {"full zip jacket", "full zipped jacket"}),
    (one_by_one("jacket", full_zip=9, full_zipped=9, zip=2, zipped=1), ["zip", "zipped"],
     [["jacket: full zip", "jacket: full zipped"]], {"full zip jacket", "full zipped jacket", "zip jacket"}),
    (one_by_one("bag", zip=9, zippered=9) + one_by_one("fly", zip=2, zipped=2), ["zip", "zipped"], [["zipped", "zippered"]],
     {"zip bag", "zippered bag", "zip fly"}),
    (one_by_one("coat", fly_zip=10, fly_zipped=5), ["zip", "zipped"], [], {"fly zip coat"}),
])  # fmt: skip
def test_a_persons_word_on_forms_is_obeyed(
    mentioned: list[Mention], merge: list[str], keep_apart: list[list[str]], left: set[str]
) -> None:
    decided = by_hand({"merge": [merge], "keep_apart": keep_apart}, "here")
    assert names(found(mentioned, decided)[1]) == left


def test_a_merge_of_forms_holds_in_other_spellings_and_for_modifiers_only() -> None:
    ziped = [*one_by_one("bag", zipped=20, ziped=2, zip=2), *say("cap", "red", products=range(100, 160))]
    assert names(found(ziped, by_hand({"merge": [["zip", "ziped"]]}, "here"))[1]) == {"zipped bag", "red cap"}
    metal = [*one_by_one("zip", metal=3), *one_by_one("zipper", metal=3), *one_by_one("bag", zipped=12, zip=2)]
    several = by_hand({"merge": [["zip", "zipper"], ["zip", "zipped"]]}, "here")
    assert names(found(metal, several)[1]) == {"metal zip", "zipped bag"}
    stripes = [*one_by_one("stripe", white=5), *one_by_one("shirt", striped=9, stripe=2)]
    assert names(found(stripes, by_hand({"merge": [["stripe", "striped", "stripes"]]}, "here"))[1]) == {
        "white stripe",
        "striped shirt",
    }
    tied = [*one_by_one("tie", silk=5), *one_by_one("belt", tied=9, tie=2)]
    assert names(found(tied, by_hand({"merge": [["tie", "tied"]]}, "here"))[1]) == {"silk tie", "tied belt"}


def test_what_only_forms_make_is_no_unknown_name() -> None:
    pocket = [
        *one_by_one("pocket", zipped=60, zip=10, front_zip=3),
        *say("pocket", "front", "zipped", products=range(80, 90)),
    ]
    values = {"merge": [["zip", "zipped"]], "keep_apart": [["pocket: front zipped", "pocket: front + zipped"]]}
    rows, phrases = found(pocket, by_hand(values, "here"))
    assert "unknown" not in {row["decision"] for row in rows}
    assert {"front zipped pocket"} == {name for name in names(phrases) if "front" in name}
    assert {len(row["modifiers"]) for row in phrases.to_pylist()} == {1, 2}


@pytest.mark.parametrize(
    ("word", "noun"),
    [("hooded", "hood"), ("striped", "stripe"), ("zipped", "zip"), ("bodied", "body"), ("zippered", "zip"), ("zippered", "zipper")],
)  # fmt: skip
def test_what_a_participle_is_made_of(word: str, noun: str) -> None:
    assert noun in set(nouns_of(word))
    assert set(nouns_of("red")) == set(nouns_of("cotton")) == set()


def test_a_head_of_two_words_and_a_head_with_a_unit_are_one() -> None:
    mentioned = [*say("polo neck", "ribbed", products=range(5)), *say("neck", "polo", products=range(5, 7))]
    assert merged(mentioned) == {("cut", "neck: polo"): "polo neck"}


TEES = [
    *say("t-shirt", "red", products=range(30), title=True),
    *say("tee", "red", products=range(20)),
    *say("sleeve", "short", products=range(30)),
    *say("shoe", "brown", products=range(40, 200), title=True),
    *say("lace", "round", products=range(40, 200)),
]


def test_names_used_alike_are_proposed_with_evidence_and_not_merged() -> None:
    rows, phrases = found(TEES)
    (row,) = [row for row in rows if row["kind"] == "head"]
    assert (row["name"], row["canonical"], row["decision"]) == ("tee", "t-shirt", "proposed")
    assert "20 times" in str(row["evidence"])
    assert all(row["concept_id"] == row["canonical_id"] for row in phrases.to_pylist())


def test_a_person_overrules() -> None:
    decided = by_hand({"merge": [["tee", "t-shirt"]], "keep_apart": [["short", "round"]]}, "here")
    rows, phrases = found(TEES, decided)
    assert {"t-shirt", "sleeve", "shoe", "lace"} == {row["head_noun"] for row in phrases.to_pylist()}
    (row,) = [row for row in rows if row["decision"] == "by_hand"]
    assert (row["name"], row["canonical"], row["support"], row["canonical_support"]) == ("tee", "t-shirt", 20, 30)

    grey = [
        *say("shirt", "grey", products=LONG),
        *say("shirt", "gray", products=range(20, 25)),
        *say("cap", products=range(30, 90)),
    ]
    apart = by_hand({"keep_apart": [["gray", "grey"]]}, "here")
    assert merged(grey) == {("word", "gray"): "grey"}
    assert merged(grey, apart) == {}
    assert [row["decision"] for row in found(grey, apart)[0]] == ["kept_apart"]


def test_a_person_may_say_that_a_head_is_another_with_a_unit() -> None:
    mentioned = [*say("trainer", "white", products=range(4)), *say("shoe", "sports", "white", products=range(4, 12))]
    decided = by_hand({"merge": [["trainer", "sports shoe"]]}, "here")
    _, phrases = found(mentioned, decided)
    assert {(row["head_noun"], tuple(row["modifiers"])) for row in phrases.to_pylist()} == {
        ("shoe", ("sports", "white"))
    }


def test_a_name_that_nobody_says_is_reported() -> None:
    rows, _ = found(TEES, by_hand({"merge": [["tee", "t-shrit"]]}, "here"))
    assert [row["name"] for row in rows if row["decision"] == "unknown"] == ["t-shrit"]


@pytest.mark.parametrize("rows", [0, 3])
def test_a_catalogue_without_categories_or_mentions(rows: int) -> None:
    mentions, texts, products = tables(TEES[:rows])
    bare = pa.table({"product_id": products["product_id"], "category_path": [[] for _ in range(products.num_rows)]})
    bare = bare.set_column(1, "category_path", pa.array([[]] * products.num_rows, pa.list_(pa.string())))
    _, phrases = find_synonyms(mentions, texts, bare)
    assert phrases.num_rows == min(rows, 1)


def test_every_pair_of_near_words_is_looked_at() -> None:
    """The candidates against all pairs."""
    words = sorted(
        {a + b + c for a, b, c in pairs_of(["zip", "col", "gre"], ["per", "our", "y", "ey", ""], ["", "s", "ed"])}
    )
    every = {(a, b, spelling_rule(a, b)) for a in words for b in words if a < b and spelling_rule(a, b)}
    assert set(spelling_pairs(words)) == every
