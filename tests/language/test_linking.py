"""Linking against a naive scan, offsets with odd characters, and the evidence counted by hand."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.identity import concept_id
from kgbuild.language.automaton import Automaton, fold, lower
from kgbuild.language.linking import Linker, finest_known, share
from kgbuild.language.readings import READINGS, read_surfaces
from kgbuild.tables import TABLES

WORDS = [
    "blue",
    "Blue",
    "shirt",
    "shirts",
    "t-shirt",
    "T-Shirts",
    "tshirt",
    "t",
    "watch",
    "straps",
    "caf\u00e9",
    "\u0130pek",
    "3/4",
]
WORDS += [
    "navy-blue",
    "men's",
    "men\u2019s",
    "\U0001f457",
    "cafe\u0301",
    "\u03a3\u0391\u03a3",
    "a--b",
    "_x_",
    "\0",
    "leather",
    ",",
]
GAPS = [" ", "  ", "\t", "\n", "\u00a0", "\u2009", ", ", "-", " - ", "."]


def texts_of_words(most: int) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), max_size=most)
    return pairs.map(lambda some: "".join(word + gap for word, gap in some))


def naive(phrases: Sequence[Sequence[str]], text: str) -> list[tuple[int, int, int]]:
    """(phrase, first, last word) of leftmost-longest matches: every phrase is tried at every word."""
    words, found, at = fold_with_unknown(text), [], 0
    while at < len(words):
        fitting = [n for n, phrase in enumerate(phrases) if list(phrase) == words[at : at + len(phrase)]]
        if not fitting:
            at += 1
            continue
        best = max(fitting, key=lambda n: len(phrases[n]))
        found.append((best, at, at + len(phrases[best]) - 1))
        at += len(phrases[best])
    return found


def fold_with_unknown(text: str) -> list[str]:
    return fold(text.replace("\0", "\u00b6"))


@given(st.lists(texts_of_words(3), max_size=6), st.lists(texts_of_words(12), max_size=5))
@settings(max_examples=300, deadline=None)
def test_the_automaton_finds_what_a_naive_scan_finds(surfaces: list[str], texts: list[str]) -> None:
    phrases = sorted({tuple(words) for surface in surfaces if (words := fold(surface))})
    found = Automaton(phrases).scan(texts)
    n_words = [len(fold_with_unknown(text)) for text in texts]
    begin = np.cumsum([0, *(n + 1 for n in n_words)])  # one sign between texts
    expected = [(p, f + begin[n], e + begin[n]) for n, text in enumerate(texts) for p, f, e in naive(phrases, text)]
    assert list(zip(found.phrase.tolist(), found.first.tolist(), found.last.tolist(), strict=True)) == expected
    assert found.texts(found.first).tolist() == [n for n, text in enumerate(texts) for _ in naive(phrases, text)]


@given(
    st.lists(texts_of_words(3), max_size=6), st.lists(st.one_of(texts_of_words(12), st.text(max_size=40)), max_size=5)
)
@settings(max_examples=300, deadline=None)
def test_what_lies_between_the_offsets_is_the_phrase(surfaces: list[str], texts: list[str]) -> None:
    phrases = sorted({tuple(words) for surface in surfaces if (words := fold(surface))})
    links = Linker(readings([" ".join(phrase) for phrase in phrases])).link(table(texts)).to_pylist()
    for link in links:
        text, start, end = texts[int(link["text_id"])], link["start"], link["end"]
        assert text[start:end] == link["surface_form"]
        assert " ".join(fold(link["surface_form"])) == link["concept_id"]
        assert not link["surface_form"][0].isspace()
        assert not link["surface_form"][-1].isspace()
        assert not (start and text[start - 1].isalnum() and text[start].isalnum())
        assert not (end < len(text) and text[end].isalnum() and text[end - 1].isalnum())
    assert links == sorted(links, key=lambda link: (int(link["text_id"]), link["start"], link["end"]))


def table(texts: Sequence[str | None]) -> pa.Table:
    return pa.table({"text_id": [str(n) for n in range(len(texts))], "text": pa.array(texts, pa.string())})


def readings(surfaces: Sequence[str], **columns: Sequence[int]) -> pa.Table:
    """One reading a surface, its words as a whole; the concept is named as the surface is."""
    rows = []
    for number, surface in enumerate(surfaces):
        row = {"surface": surface, "first": 0, "last": surface.count(" "), "concept_id": surface, "n_mentions": 1}
        row |= {name: columns[name][number] if name in columns else 0 for name in ("n_agreed", "n_said", "n_checked")}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=READINGS)


def test_lower_case_keeps_every_character_in_its_place() -> None:
    every = "".join(chr(n) for n in range(sys.maxunicode + 1) if not 0xD800 <= n < 0xE000)
    assert len(lower(every)) == len(every)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Blue  T-SHIRTS!", ["Blue  T-SHIRTS"]),
        ("blue\ttshirt", ["blue\ttshirt"]),
        ("\u0130\u0130 blue t shirt", ["blue t shirt"]),
        ("\U0001f457\U0001f457blue-t-shirt\U0001f457", ["blue-t-shirt"]),
        ("caf\u00e9 blue\u00a0t\u2011shirt", ["blue\u00a0t\u2011shirt"]),
        ("blue, t-shirt", []),
        ("blue - t-shirt", []),
        ("blues t-shirtless", []),
        ("skyblue t-shirt", []),
    ],
)
def test_spellings_of_one_surface(text: str, found: list[str]) -> None:
    links = Linker(readings(["blue t shirt"])).link(table([None, text])).to_pylist()
    assert [link["surface_form"] for link in links] == found
    assert all(text[link["start"] : link["end"]] == link["surface_form"] for link in links)


def test_half_of_a_solid_word_is_not_linked() -> None:
    links = Linker(readings(["blue t", "shirt dress"])).link(table(["blue tshirt dress", "blue t, shirt dress"]))
    assert [(row["text_id"], row["surface_form"]) for row in links.to_pylist()] == [
        ("1", "blue t"),
        ("1", "shirt dress"),
    ]


def test_a_share_decides_and_a_weak_surface_still_stands_where_it_stands() -> None:
    some = readings(["blue shirt", "shirt"], n_said=[1, 9], n_agreed=[0, 2], n_checked=[9, 9])
    assert share(some, exact=False).tolist() == [0.15, 0.95]
    texts = table(["a blue shirt and a shirt"])
    assert Linker(some).link(texts)["surface_form"].to_pylist() == ["shirt"]
    assert Linker(some, exact=True).link(texts).num_rows == 0
    assert Linker(some, min_share=0.0).link(texts)["surface_form"].to_pylist() == ["blue shirt", "shirt"]


Said = tuple[str, str, str, tuple[str, ...]]
"""(text_id, surface form, head, modifiers); the surface form stands where it first occurs in the text."""


def release(texts: dict[str, tuple[str, str]], said: Sequence[Said]) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Mentions, texts and concepts of texts {text_id: (product_id, text)}."""
    mentions, concepts = [], {}
    for name, surface, head, modifiers in said:
        start = texts[name][1].index(surface)
        number = concept_id(head, modifiers)
        row = {"text_id": name, "start": start, "end": start + len(surface), "surface_form": surface}
        mentions.append(
            row | {"concept_id": number, "head_noun": head, "modifiers": list(modifiers), "domain": "product"}
        )
        concepts[number] = {"concept_id": number, "head_noun": head, "modifiers": list(modifiers)}
        concepts[number] |= {"label": " ".join([*modifiers, head]), "n_mentions": 1, "n_products": 1}
    rows = [{"text_id": n, "product_id": p, "field": "title", "text": t} for n, (p, t) in texts.items()]
    return (
        pa.Table.from_pylist(mentions, schema=TABLES["mentions"].schema),
        pa.Table.from_pylist(rows, schema=TABLES["texts"].schema),
        pa.Table.from_pylist(list(concepts.values()), schema=TABLES["concepts"].schema),
    )


def test_readings_within_a_surface_and_their_evidence() -> None:
    texts = {f"t{n}": (f"p{n}", "Watch with Leather Straps") for n in range(8)}
    texts["t9"] = ("p9", "wear with heels")
    said: list[Said] = [
        (name, "Watch with Leather Straps", "watch", ("leather strap",)) for name in texts if name != "t9"
    ]
    said += [(name, "Leather Straps", "strap", ("leather",)) for name in texts if name not in ("t9", "t0")]
    texts["t8"], said = ("p8", "Heels"), [*said, ("t8", "Heels", "heel", ())]
    rows = {(r["surface"], r["first"], r["last"]): r for r in read_surfaces(*release(texts, said)).to_pylist()}
    whole, within = rows["watch with leather strap", 0, 3], rows["watch with leather strap", 2, 3]
    assert whole["concept_id"] == concept_id("watch", ["leather strap"])
    assert [whole[name] for name in ("n_mentions", "n_agreed", "n_said", "n_checked")] == [8, 8, 8, 8]
    assert within["concept_id"] == concept_id("strap", ["leather"])
    assert [within[name] for name in ("n_mentions", "n_agreed", "n_said", "n_checked")] == [7, 7, 7, 8]
    heel = rows["heel", 0, 0]
    assert [heel[name] for name in ("n_mentions", "n_agreed", "n_said", "n_checked")] == [1, 1, 1, 2]


def test_a_repeated_name_counts_as_said_though_mining_passes_it_over() -> None:
    texts = {"a": ("p", "Red Dress"), "b": ("p", "this dress"), "c": ("q", "a dress")}
    rows = read_surfaces(
        *release(texts, [("a", "Red Dress", "dress", ("red",)), ("c", "dress", "dress", ())])
    ).to_pylist()
    dress = next(row for row in rows if row["surface"] == "dress")
    assert [dress[name] for name in ("n_mentions", "n_agreed", "n_said", "n_checked")] == [1, 1, 2, 2]


def test_the_most_frequent_concept_of_a_surface_wins_and_ties_go_by_id() -> None:
    texts = {f"t{n}": (f"p{n}", "top") for n in range(5)}
    names = {number: concept_id("top", [unit]) for number, unit in enumerate(("x", "y", "z"))}
    said: list[Said] = [("t0", "top", "top", ("x",)), ("t1", "top", "top", ("y",)), ("t2", "top", "top", ("y",))]
    found = read_surfaces(*release(texts, said))
    assert [row["concept_id"] for row in found.to_pylist() if row["surface"] == "top"] == [names[1]]
    tied = read_surfaces(*release(texts, [*said, ("t3", "top", "top", ("x",))]))
    assert [row["concept_id"] for row in tied.to_pylist() if row["surface"] == "top"] == [min(names[0], names[1])]


@given(st.permutations(range(6)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    texts = {
        f"t{n}": (f"p{n % 4}", ["blue shirt", "navy blue shirt", "shirt with blue collar"][n % 3]) for n in range(6)
    }
    said: list[Said] = [(f"t{n}", texts[f"t{n}"][1], "shirt", (f"blue{n % 2}",)) for n in range(6)]
    mentions, rows, concepts = release(texts, said)
    expected = read_surfaces(mentions, rows, concepts)
    assert read_surfaces(mentions.take(order), rows.take(order[::-1]), concepts).equals(expected)


def test_nothing_known_links_nothing() -> None:
    mentions, texts, concepts = release({"a": ("p", "blue shirt")}, [])
    linker = Linker(read_surfaces(mentions, texts, concepts))
    assert linker.link(texts.select(["text_id", "text"])).num_rows == 0
    assert linker.link(table([])).num_rows == 0


def test_a_rare_concept_is_linked_as_the_finest_known_one() -> None:
    texts = {"a": ("p", "slim navy blue shirt"), "b": ("q", "blue sock")}
    mentions, _, _ = release(
        texts, [("a", texts["a"][1], "shirt", ("blue", "slim")), ("b", "blue sock", "sock", ("blue",))]
    )
    rows = [("shirt", (), 9), ("shirt", ("blue",), 3), ("shirt", ("slim",), 5), ("shirt", ("red",), 7)]
    known = [
        {
            "concept_id": concept_id(h, m),
            "label": h,
            "head_noun": h,
            "modifiers": list(m),
            "n_mentions": n,
            "n_products": n,
        }
        for h, m, n in rows
    ]
    found = finest_known(mentions, pa.Table.from_pylist(known, schema=TABLES["concepts"].schema))
    assert found["concept_id"].to_pylist() == [concept_id("shirt", ["slim"])]
    assert found["surface_form"].to_pylist() == ["slim navy blue shirt"]
