"""Canonical strings of heads and modifiers: spelling, number, hyphens, fixed names.

Every function here is idempotent: the canonical form of a canonical form is itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

# Nouns that have no singular in a shop, by the stem that may be written without s.
_PLURALIA = {
    stem: stem + "s"
    for stem in (
        *("jean", "short", "trouser", "pant", "legging", "jegging", "tight", "trunk", "chino", "suspender", "denim"),
        *("culotte", "overall", "dungaree", "jogger", "bottom", "cargo", "bermuda", "clothe", "glasse", "sunglasse"),
        *("goggle", "tregging", "khaki", "spectacle", "slack"),
    )
} | {"sunglass": "sunglasses", "cargoe": "cargos"}
_PLURAL_ONLY = frozenset(_PLURALIA.values()) | {"eyeglasses"}
# Stems that are pluralia tantum only when written with s: "denim", "bottom", "short" are words of their own.
_WITH_S_ONLY = frozenset(
    {"denim", "bottom", "clothe", "khaki", "short", "tight", "overall", "cargo", "jogger", "slack"}
)
_SAME = frozenset(
    {"lens", "canvas", "sports", "tennis", "stainless", "series", "swiss", "iris", "bias", "gents", "plus", "chassis"}
    | {
        "always",
        "tartans",
        "christmas",
        "perfectos",
        "us",
        "oasis",
        "this",
        "his",
        "basis",
        "amaryllis",
        "paris",
        "its",
        "has",
        "was",
        "is",
        "as",
        "yes",
        "news",
    }
)
_IRREGULAR = {
    "scarves": "scarf", "halves": "half", "leaves": "leaf", "knives": "knife", "feet": "foot", "ties": "tie",
    "hoodies": "hoodie", "movies": "movie", "selfies": "selfie", "laces": "lace", "shoes": "shoe", "toes": "toe", "lenses": "lens",
    "canvases": "canvas", "axes": "axe", "geometries": "geometry", "tees": "tee", "boxes": "box", "hoodys": "hoody",
    "beanies": "beanie", "panties": "panty", "undies": "undies", "buses": "bus", "calves": "calf", "genies": "genie",
    "booties": "bootie", "onesies": "onesie", "cookies": "cookie", "pixies": "pixie", "brownies": "brownie",
}  # fmt: skip
_PARTICLES = frozenset({"ups", "ons", "outs", "ins", "offs", "downs"})
_PEOPLE = {
    "men": "men", "man": "men", "mens": "men", "gents": "men", "gent": "men", "women": "women", "woman": "women", "womens": "women",
    "ladies": "women", "lady": "women", "unisex": "unisex", "boy": "boys", "boys": "boys", "girl": "girls",
    "girls": "girls", "kid": "kids", "kids": "kids", "infant": "infants", "infants": "infants", "teen": "teens",
    "teens": "teens",
}  # fmt: skip
GENDERS = frozenset(_PEOPLE.values())
_WHOLE_NAMES = {
    "tshirt": "t-shirt", "t-shirt": "t-shirt", "tee-shirt": "t-shirt", "teeshirt": "t-shirt", "vneck": "v-neck", "v-neck": "v-neck",
    "flipflop": "flip flop", "flip-flop": "flip flop", "slipon": "slip-on", "laceup": "lace-up",
    "gray": "grey", "multicolour": "multi coloured", "multicoloured": "multi coloured", "multicolored": "multi coloured",
    "multi-coloured": "multi coloured", "multi-colored": "multi coloured", "offwhite": "off white", "off-white": "off white",
    "colored": "coloured", "color": "colour", "colors": "colour", "sequined": "sequinned", "jewelry": "jewellery",
    "aluminum": "aluminium", "center": "centre", "fiber": "fibre",
}  # fmt: skip
_FIXED_PAIRS = {
    ("t", "shirt"): "t-shirt", ("tee", "shirt"): "t-shirt", ("flip", "flop"): "flip flop", ("v", "neck"): "v-neck",
    ("slip", "on"): "slip-on", ("lace", "up"): "lace-up", ("tie", "up"): "tie-up", ("cut", "out"): "cut-out", ("polo", "neck"): "polo neck",
}  # fmt: skip


@lru_cache(maxsize=65536)
def singular(word: str) -> str:
    """The lemma of a lower-case noun; pluralia tantum keep (or get) their s."""
    if word in _PEOPLE:
        return _PEOPLE[word]
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _PLURAL_ONLY or word in _SAME:
        return word
    if "-" in word:
        first, _, last = word.rpartition("-")
        return f"{first}-{last[:-1] if last in _PARTICLES else singular(last)}"
    stem = _without_s(word)
    if stem in _PLURALIA and (stem != word or stem not in _WITH_S_ONLY):
        return _PLURALIA[stem]
    return _WHOLE_NAMES.get(stem, stem)  # "tshirts" is none of the names, its singular is


def _without_s(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    return word[:-1]


_DASHES = re.compile("[\u2010-\u2014_]")
_EDGES = "\"'`\u00e2\u00b4\u2018\u2019\u201c\u201d.,;:!?()[]{}*\u2022\u00b7-/\\"


@lru_cache(maxsize=65536)
def plain_word(word: str) -> str:
    """One token in lower case, without quotes and possessive s, under its usual spelling."""
    word = _DASHES.sub("-", word.lower().replace("\u2019", "'").replace("`", "'")).strip(_EDGES)
    word = word.removesuffix("'s").strip(_EDGES)
    return _WHOLE_NAMES.get(word, word)


def fixed_pair(first: str, second: str) -> str | None:
    """The fixed name that two plain words write apart ("t", "shirts" -> "t-shirt", "lace", "ups" -> "lace-up"), else None."""
    one = second[:-1] if second in _PARTICLES else singular(second)
    return _FIXED_PAIRS.get((first, second)) or _FIXED_PAIRS.get((first, one))


def join_words(words: Sequence[str], joins: Mapping[str, str]) -> list[str]:
    """Plain words with fixed names and compounds written apart joined: ["waist", "band"] -> ["waistband"]."""
    joined: list[str] = []
    for word in words:
        if joined:
            whole = fixed_pair(joined[-1], word) or joins.get(f"{joined[-1]} {singular(word)}")
            if whole:
                joined[-1] = whole
                continue
        joined.append(word)
    return joined


def unit(words: Sequence[str], *, noun: bool) -> str:
    """A modifier unit from its plain words in text order; a noun's last word is in the singular."""
    if not words:
        return ""
    last = singular(words[-1]) if noun or words[-1] in _PEOPLE else words[-1]
    return strip_suffix(" ".join([*words[:-1], last]))


_SUFFIXES = re.compile(r"(?<=\w)[ -](?:coloured|colour|shaped|shape|style|styled|hued|look)$")


def strip_suffix(modifier: str) -> str:
    """The bare word: "white coloured" -> "white", "square shaped" -> "square"; "multi coloured" stays."""
    stripped = _SUFFIXES.sub("", modifier)
    return modifier if stripped in {"multi", "contrast", "two", "dual", "three", "natural", "solid"} else stripped


def head_lemma(word: str) -> str:
    """The lemma of a head noun: as `singular`, and "short", "tight" as a product are "shorts", "tights"."""
    return _PLURALIA.get(word, singular(word))
