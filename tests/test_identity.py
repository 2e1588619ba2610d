"""Ids are content: equal content, equal id, on every machine; different content, different id."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kgbuild.identity import concept_id, content_id, file_sha256, fingerprint, image_id, text_id

WORDS = st.text(st.characters(exclude_characters="\x1f"), max_size=6)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4))
def test_content_ids_are_equal_exactly_when_the_parts_are(one: list[str], other: list[str]) -> None:
    assert (content_id("k", *one) == content_id("k", *other)) is (one == other)


@given(WORDS, st.lists(WORDS, max_size=4))
@example("\ud800", [])
def test_a_content_id_is_that_of_the_definition(kind: str, parts: list[str]) -> None:
    joined = "\x1f".join([kind, *parts]).encode("utf-8", "surrogatepass")
    assert content_id(kind, *parts) == hashlib.sha256(joined).hexdigest()[:16]


def test_ids_are_pinned() -> None:
    # Releases on disk, stores and caches hold these: a change here makes all of them strangers.
    assert content_id("concept", "t-shirt", "short sleeve", "white") == "81fc4420971c6132"
    assert concept_id("t-shirt", ["white", "short sleeve"]) == "81fc4420971c6132"


@given(WORDS, st.lists(WORDS, max_size=4))
def test_the_order_and_number_of_modifiers_does_not_matter(head: str, modifiers: list[str]) -> None:
    ids = {concept_id(head, order) for order in itertools.permutations(modifiers)}
    assert ids == {concept_id(head, modifiers + modifiers)}


def test_a_head_is_no_modifier() -> None:
    assert concept_id("shirt", ["dress"]) != concept_id("dress", ["shirt"])
    assert concept_id("navy", ["blue"]) != concept_id("navy", ["navy", "blue"])


def test_kinds_and_fields_part_what_is_otherwise_alike() -> None:
    assert content_id("text", "a") != content_id("image", "a")
    assert text_id("p", "title", "Red dress") != text_id("p", "description", "Red dress")
    assert text_id("p", "title", "Red dress") != text_id("q", "title", "Red dress")


@given(st.lists(st.tuples(WORDS, st.binary(max_size=3)), min_size=2, max_size=8))
def test_images_lie_in_the_order_of_their_pictures(pairs: list[tuple[str, bytes]]) -> None:
    pictures = {image_id(product, sha): sha for product, data in pairs for sha in [hashlib.sha256(data).hexdigest()]}
    in_order = [pictures[key] for key in sorted(pictures)]
    assert in_order == sorted(in_order)


def test_an_image_is_a_products_own() -> None:
    sha = hashlib.sha256(b"picture").hexdigest()
    assert image_id("p", sha) != image_id("q", sha)
    assert len(image_id("p", sha)) == 24


@given(st.dictionaries(st.text(max_size=3), PLAIN, max_size=5))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))


@given(PLAIN, PLAIN)
def test_fingerprints_of_different_values_differ(one: object, other: object) -> None:
    if repr(one) != repr(other) and one != other:
        assert fingerprint(one) != fingerprint(other)


def test_a_file_has_the_hash_of_its_bytes(tmp_path: Path) -> None:
    data = b"kgbuild" * 400_000  # more than one block
    (tmp_path / "file").write_bytes(data)
    assert file_sha256(tmp_path / "file") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("change", ["rename", "content", "add", "move"])
def test_a_folders_hash_takes_in_names_and_bytes(tmp_path: Path, change: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_text("1")
    (tmp_path / "sub" / "b").write_text("2")
    before = file_sha256(tmp_path)
    assert file_sha256(tmp_path) == before
    {
        "rename": lambda: (tmp_path / "a").rename(tmp_path / "c"),
        "content": lambda: (tmp_path / "a").write_text("3"),
        "add": lambda: (tmp_path / "d").write_text(""),
        "move": lambda: (tmp_path / "sub" / "b").rename(tmp_path / "b"),
    }[change]()
    assert file_sha256(tmp_path) != before
