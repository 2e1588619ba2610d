"""Category paths that lack their upper levels, and categories that no path places."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kgbuild.hierarchy.heads import find_head_edges
from kgbuild.hierarchy.partial_paths import completed
from kgbuild.hierarchy.said import Ints
from kgbuild.language.names import name_form
from tests.hierarchy.heads_catalogue import Product, shop, tables


def edges_of(products: list[Product]) -> dict[tuple[str, str], tuple[str, int]]:
    rows = find_head_edges(*tables(products), name_of=name_form, min_products=3)[1].to_pylist()
    ends = [
        [" ".join([*row[f"{end}_modifiers"], row[f"{end}_head"]]) for end in ("hyponym", "hypernym")] for row in rows
    ]
    return {(low, high): (row["rule"], row["support"]) for (low, high), row in zip(ends, rows, strict=True)}


@st.composite
def trees(draw: st.DrawFn) -> tuple[Ints, Ints]:
    """The whole paths of some products in a tree, two of each category or more, and the same with fewer that lack upper levels."""
    parents = [draw(st.integers(-1, node - 1)) for node in range(draw(st.integers(1, 8)))]
    paths = []
    for node in range(len(parents)):
        path = [node]
        while parents[path[0]] >= 0:
            path.insert(0, parents[path[0]])
        paths += [path] * draw(st.integers(2, 4))
    paths *= 3  # of any category more paths are whole than cut
    depth = max(map(len, paths))
    cut = [draw(st.integers(0, len(path) - 1)) if number < len(paths) // 3 else 0 for number, path in enumerate(paths)]
    whole, lacking = np.full((len(paths), depth), -1), np.full((len(paths), depth), -1)
    for number, (path, start) in enumerate(zip(paths, cut, strict=True)):
        whole[number, : len(path)] = path
        lacking[number, : len(path) - start] = path[start:]
    order = draw(st.permutations(range(len(paths))))
    return whole[order], lacking[order]


@given(trees())
def test_paths_are_completed_from_whole_ones(both: tuple[Ints, Ints]) -> None:
    whole, lacking = both
    np.testing.assert_array_equal(completed(lacking), whole)
    np.testing.assert_array_equal(completed(whole), whole)


@given(st.lists(st.lists(st.integers(-1, 4), min_size=3, max_size=3), max_size=12))
def test_any_paths_keep_their_end(paths: list[list[int]]) -> None:
    at = np.array(paths, np.int64).reshape(-1, 3)
    after = completed(at)
    for before, now in zip(at.tolist(), after.tolist(), strict=True):
        some = [node for node in before if node >= 0]
        assert [node for node in now if node >= 0][-len(some) or len(now) :] == some


def test_a_kind_alone_is_no_root() -> None:
    alone: list[Product] = [(f"[green t-shirt] {n}", f"Number {n}", ["Tshirts"]) for n in range(4)]
    whole: list[Product] = [(title, text, ["Apparel", "Topwear", "Tshirts"]) for title, text, _ in alone]
    assert edges_of([*shop(), *alone]) == edges_of([*shop(), *whole])


def test_one_watch_among_free_gifts_places_no_watches() -> None:
    at = np.array([[0, -1]] * 9 + [[1, 0]], np.int64)
    np.testing.assert_array_equal(completed(at), at)
    at = np.array([[0, -1]] * 3 + [[1, 0]], np.int64)
    np.testing.assert_array_equal(completed(at), [[1, 0]] * 4)


def test_titles_place_what_no_path_places() -> None:
    slippers = [(f"[{colour} slipper]", f"Soft {colour}", ["Slippers"]) for colour in ("red", "blue", "white")]
    assert not any(low == "slipper" for low, _ in edges_of([*shop(), *slippers])), "a root"
    others = [(f"[green slipper] {n}", f"Soft {n}", ["Footwear", "Sandals"]) for n in range(2)]
    assert edges_of([*shop(), *slippers, *others])["slipper", "sandal"] == ("cooccurrence", 2)


def test_a_few_titles_elsewhere_place_nothing() -> None:
    watches = [(f"[{colour} watch] {n}", f"It ticks {n}", ["Watches"]) for colour in ("red", "blue") for n in range(8)]
    printed = [(f"[plain watch] {n}", f"A shirt {n}", ["Apparel", "Formal"]) for n in range(2)]
    assert not any(low == "watch" and high == "formal" for low, high in edges_of([*shop(), *watches, *printed]))


def test_a_name_that_counts_up_stands_where_titles_have_all_of_it() -> None:
    both = [(f"[red salwar] and [red dupatta] {n}", f"Set {n}", ["Apparel", "Bottomwear"]) for n in range(3)]
    alone = [(f"[red dupatta] {n}", f"Scarf {n}", ["Apparel", "Topwear", "Dupatta"]) for n in range(6)]
    listed = [(f"Number {n}", f"Nothing {n}", ["Salwar and Dupatta"]) for n in range(3)]
    assert edges_of([*shop(), *both, *alone, *listed])["salwar and dupatta", "bottomwear"] == ("cooccurrence", 3)
