import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgbuild.language.canonical import head_lemma, join_words, plain_word, singular, strip_suffix, unit

WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), max_size=14)


@given(WORDS)
def test_canonical_forms_are_idempotent(word):
    plain = plain_word(word)
    assert plain_word(plain) == plain
    for form in (singular, head_lemma, strip_suffix):
        once = form(plain)
        assert form(once) == once


@pytest.mark.parametrize(
    ("written", "lemma"),
    [
        ("sleeves", "sleeve"), ("briefs", "brief"), ("dresses", "dress"), ("dress", "dress"), ("pouches", "pouch"),
        ("accessories", "accessory"),
        ("capris", "capri"), ("kurtis", "kurti"), ("jeans", "jeans"), ("sunglasses", "sunglasses"), ("trouser", "trousers"),
        ("scarves", "scarf"),
        ("ties", "tie"), ("canvas", "canvas"), ("sports", "sports"), ("lace-ups", "lace-up"), ("slip-ons", "slip-on"), ("denim", "denim"),
        ("v-necks", "v-neck"), ("women's", "women"), ("ladies", "women"), ("tops", "top"), ("glass", "glass"), ("shoes", "shoe"),
    ],
)  # fmt: skip
def test_number(written, lemma):
    assert singular(plain_word(written)) == lemma


def test_a_short_is_shorts_as_a_product_and_short_as_a_modifier():
    assert head_lemma("short") == "shorts"
    assert singular("short") == "short"


@pytest.mark.parametrize("written", ["Tshirt", "T-Shirt", "tee-shirt", "T\u2011shirt", "“t-shirt”", "tshirt's"])
def test_spellings_of_t_shirt(written):
    assert plain_word(written) == "t-shirt"


def test_names_written_apart_are_joined():
    joins = {"waist band": "waistband"}
    assert join_words(["white", "t", "shirts"], joins) == ["white", "t-shirt"]
    assert join_words(["elastic", "waist", "bands"], joins) == ["elastic", "waistband"]


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (["white", "coloured"], "white"),
        (["multi", "coloured"], "multi coloured"),
        (["short", "sleeves"], "short sleeve"),
        (["square", "shaped"], "square"),
    ],
)
def test_units(words, form):
    assert unit(words, noun=True) == form
