"""Categories under the names of the texts: "Eyeshadow" is "eye shadow", "Sarees" are what titles call "sari", and "Lips" are no lips."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Final

import numpy as np
import pyarrow.compute as pc

from kgbuild.hierarchy.categories import Categories
from kgbuild.hierarchy.names import Name, product_label
from kgbuild.hierarchy.said import Ints, Said

SAID_ENOUGH: Final = 0.2
"""A category's name is one of the texts' where these have it in so large a share of the number of its products."""

THE_SAME: Final = 0.9
"""So large a share of a category's products must titles name by one head, and so large a share of what they name so must lie there."""

ALIKE: Final = 0.6
"""And so alike must both be in writing (Ratcliff and Metzener 1988): "saree", "sari"; no "eyewear" that is all sunglasses."""


def labelled(categories: Categories, said: Said) -> Categories:
    """Categories under the names of the texts, roots as whole names ("personal care"), and "lip product" for "Lips": these are no lips.

    A name is no kind of its products when no text names them so but titles have it as a modifier, or when finer categories do ("lip
    gloss"), with more than half as many products as some text names so.
    """
    roots = set(categories.roots())
    flat = pc.list_flatten(said.modifiers)
    parents = pc.list_parent_indices(said.modifiers).to_numpy()
    number = {product: place for place, product in enumerate(said.products)}
    at = np.array([number.get(product, -1) for product in categories.products], np.int64)
    sizes = {node: len(rows) for node, rows in categories.rows_of()}
    names = as_said(categories.names, [sizes.get(node, 0) for node in range(len(categories.names))], said)
    names = _by_their_products(names, categories, said, at)
    named = said.first_names
    modified = [(names[node], rows) for node, rows in categories.rows_of() if names[node].modifiers]
    for node, rows in categories.rows_of():
        head, modifiers = names[node]
        if node in roots:
            first = categories.names[node]
            names[node] = Name(" ".join([*first.modifiers, first.head]))
        elif not modifiers:
            finer = sum(len(some) for name, some in modified if head in name.modifiers and np.isin(some, rows).all())
            as_unit = parents[pc.equal(flat, head).to_numpy(zero_copy_only=False)]
            as_head = (
                np.flatnonzero(named & (said.head == said.heads.index(head))) if head in said.heads else as_unit[:0]
            )
            held, meant = (
                np.intersect1d(said.product[some], at[rows]).size for some in (as_unit[said.title[as_unit]], as_head)
            )
            if finer > max(meant / 2, 2) or (held > 2 and not meant):
                names[node] = product_label(names[node])
    return replace(categories, names=names)


def as_said(names: Sequence[Name], n_products: Sequence[int], said: Said) -> list[Name]:
    """Names of categories as texts write them: "Eyeshadow" is "eye shadow", and the head of "Face Moisturisers" is "moisturizer".

    Of the names of the same letters the commonest, where it is mentioned `SAID_ENOUGH` times as often as products have the category
    (`n_products`): "bottom wear" now and then makes no other name of "Bottomwear". Else the commonest of the letters of its head noun,
    where no text has that.
    """
    known = frozenset(said.heads)
    needed: dict[str, float] = {}
    for name, n in zip(names, n_products, strict=True):
        needed |= {_letters(name): SAID_ENOUGH * n} | {_letters(Name(name.head)): SAID_ENOUGH * n}
    commonest = {letters: name for name, times in _like(needed, said) if times >= needed[letters := _letters(name)]}

    def said_so(name: Name) -> Name:
        whole, head = commonest.get(_letters(name), name), commonest.get(_letters(Name(name.head)))
        if whole != name or name.head in known or head is None:
            return whole
        return Name(head.head, tuple(sorted({*head.modifiers, *name.modifiers})))

    return [said_so(name) for name in names]


def _like(wanted: Collection[str], said: Said) -> Iterator[tuple[Name, int]]:
    """Names with at most one modifier whose letters are among `wanted`, and how often they are mentioned, the commonest last."""
    ends = {letters[start:] for letters in wanted for start in range(len(letters))}
    heads = np.array([_letters(Name(head)) in ends for head in said.heads], bool)
    units = pc.list_flatten(said.modifiers).dictionary_encode()
    texts = units.dictionary.to_pylist()
    owners = said.head[pc.list_parent_indices(said.modifiers).to_numpy()]
    rows = heads[owners]
    pairs, times = np.unique(np.stack([owners[rows], units.indices.to_numpy()[rows]]), axis=1, return_counts=True)
    found = [
        (Name(said.heads[head], (texts[unit],)), n)
        for (head, unit), n in zip(pairs.T.tolist(), times.tolist(), strict=True)
    ]
    n_said = np.bincount(said.head, minlength=len(said.heads)).tolist()
    found += [(Name(head), n) for head, n, like in zip(said.heads, n_said, heads, strict=True) if like]
    yield from sorted((one for one in found if _letters(one[0]) in wanted), key=lambda one: one[1])


def _letters(name: Name) -> str:
    """The letters of a name in one regional spelling."""
    letters = "".join(letter for word in (*name.modifiers, name.head) for letter in word if letter.isalnum())
    return letters.replace("z", "s").replace("our", "or")


def _by_their_products(names: Sequence[Name], categories: Categories, said: Said, at: Ints) -> list[Name]:
    """Where hardly a text has a finest category's name, the head by which titles name its products, and no others ("Sarees": "sari")."""
    naming = np.flatnonzero(said.first_names & said.title)
    head_of = np.full(len(said.products), -1, np.int64)
    head_of[said.product[naming]] = said.head[naming]
    times = np.bincount(head_of[head_of >= 0], minlength=len(said.heads))
    inner = {node for column in range(categories.at.shape[1] - 1) for node in _with_finer(categories.at, column)}
    said_by = dict(zip(said.heads, said.products_a_head().tolist(), strict=True))
    found = list(names)
    for node, rows in categories.rows_of():
        if node in inner or names[node].modifiers or " " in names[node].head:
            continue
        if said_by.get(names[node].head, 0) >= SAID_ENOUGH * len(rows):
            continue
        heads = head_of[at[rows][at[rows] >= 0]]
        counts = np.bincount(heads[heads >= 0], minlength=1)
        head = int(counts.argmax())
        name = Name(said.heads[head]) if counts[head] else names[node]
        alike = SequenceMatcher(None, name.head, names[node].head, autojunk=False).ratio() >= ALIKE
        if counts[head] >= THE_SAME * max(len(rows), times[head]) and alike and name not in found:
            found[node] = name
    return found


def _with_finer(at: Ints, column: int) -> set[int]:
    """The concepts at a level that have another below them."""
    own, finer = at[:, column], at[:, column + 1 :]
    return set(own[((finer >= 0) & (finer != own[:, None])).any(axis=1)].tolist())
