"""Which kind of product a head names, told by the products it names: their categories, or, without these, their titles.

A head is a hyponym of a category when a clear majority of the products it names lie there, and of another head when a clear majority is
called that in titles. The products that the broader head names must not be called the narrower one as often, or it is the other way
round (asymmetric co-occurrence after Sanderson and Croft 1999, with Wilson's bound in the place of the share).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.domains import DOMAINS, PRODUCT
from kgbuild.hierarchy.categories import MAJORITY, Categories, home
from kgbuild.hierarchy.names import COOCCURRENCE, Claim, Name, lower_bound, product_label
from kgbuild.hierarchy.said import Ints, Said

CHANCE: Final = 0.05
"""A modified head belongs elsewhere than the bare one ("night suit" is nightwear) when so many of its products would lie there by chance
with at most this probability, divided by the number of modifiers that are tried."""

CLEAR: Final = 0.9
"""And so large a share of them must lie there."""

SCATTERED: Final = 0.75
"""The lower bound that the share must reach at a level below which the products scatter."""

COLLOCATED: Final = 0.3
"""A modifier is at home with a head that has it in so large a share of the titles whose name has it: "lounge" with "pants"."""

RARE: Final = 0.25
"""And where the category bears the name of the bare head, at most so large a share of the bare head's ("clothing set", "apparel set")."""

_ENOUGH, _ENOUGH_STRANGE = 3, 5  # products; the latter of a head with a modifier that is not at home with it
_NONE: Final = np.zeros(0, np.int64)


def category_kinds(said: Said, categories: Categories, heads: Collection[int]) -> list[Claim]:
    """What is above each of `heads` (numbers of `said`), and above those of their modified forms that belong elsewhere.

    Titles count where they name three products or more, else all texts. A category of that name is what it stands for, unless it has fewer
    than half of these products ("Perfumes" beside "Fragrance"). A head that names fewer is left out: what other things its
    texts mention says little ("wear it with jeans").
    """
    levels = categories.levels(said.products)
    if not levels.shape[1]:
        return []
    named = said.first_names
    naming = dict(_groups(*said.pairs(named)))
    titling = dict(_groups(*said.pairs(named & said.title)))
    in_titles = np.flatnonzero(named & said.title)
    titles = dict(_groups(said.head[in_titles], in_titles))
    own = {name: number for number, name in enumerate(categories.names)}
    size = {categories.names[node]: len(rows) for node, rows in categories.rows_of()}
    of_head: dict[str, list[int]] = defaultdict(list)  # "nail polish" stands below polish, not above
    for node, category in enumerate(categories.names):
        of_head[category.head].append(node)
    by_name = {
        number: naming[head]
        for head, word in enumerate(said.heads)
        if head in naming and (number := own.get(Name(word))) is not None
    }
    n_titled = _titled_units(said)
    claims = []
    for head in sorted(heads):
        name = Name(said.heads[head])
        rows = titling[head] if len(titling.get(head, _NONE)) >= _ENOUGH else naming.get(head, _NONE)
        if product_label(name) in own and len(rows):
            claims.append(Claim(name, product_label(name), COOCCURRENCE, len(rows), 1.0))
        elif len(rows) >= _ENOUGH and 2 * size.get(name, 0) < len(rows):
            here = (
                levels[rows]
                if head in titling and rows is titling[head]
                else _without_same(levels[rows], rows, by_name)
            )
            claims += _claims(name, np.where(np.isin(here, of_head[name.head]), -1, here), categories)
        if head in titles:
            claims += _modified(said, categories, levels, titles[head], own, n_titled)
    return claims


def product_senses(said: Said, categories: Categories, heads: Collection[int]) -> list[Claim]:
    """What is above modified forms of heads that name no products by themselves: a "pouch" is a part, and a "waist pouch" a bag.

    Told by titles that have the form as their name, where it is read as a product's, and only for a modifier that is at home with the head:
    of the titles whose name has it, `COLLOCATED` have it with that head ("mobile pouch"; no "women pouch").
    """
    levels = categories.levels(said.products)
    own = frozenset(categories.names)
    naming = said.first_names & said.title & (said.domain == DOMAINS.index(PRODUCT))
    rows = np.flatnonzero(naming & np.isin(said.head, sorted(heads)))
    n_titled = _titled_units(said)
    claims = []
    for head, some in _groups(said.head[rows], rows):
        for unit, products in _by_unit(said, some):
            name = Name(said.heads[head], (unit,))
            if len(products) >= max(_ENOUGH, COLLOCATED * n_titled[unit]) and name not in own and levels.shape[1]:
                claims += _claims(name, levels[products], categories)
    return claims


def _titled_units(said: Said) -> dict[str, int]:
    """How many products have each modifier in the name that their title gives them."""
    return {unit: len(some) for unit, some in _by_unit(said, np.flatnonzero(said.first_names & said.title))}


def _by_unit(said: Said, rows: Ints) -> Iterator[tuple[str, Ints]]:
    """Each modifier of some mentions with the products of these."""
    units = said.modifiers.take(pa.array(rows))
    ranked = pc.list_flatten(units).dictionary_encode()
    products = said.product[rows[pc.list_parent_indices(units).to_numpy()]]
    texts = ranked.dictionary.to_pylist()
    for unit, some in _groups(ranked.indices.to_numpy().astype(np.int64), products):
        yield texts[unit], np.unique(some)


def _without_same(here: Ints, rows: Ints, by_name: Mapping[int, Ints]) -> Ints:
    """Levels without the categories whose own name names the same products: "nightwear" is no "nightdress" though all of it are.

    Of those that the category's name names most are named by the head too, and they are no fewer. Not asked of heads that titles
    have: a title says the narrowest name.
    """
    same = [
        node
        for node in np.unique(here).tolist()
        if len(by_name.get(node, _NONE)) >= len(rows)
        and 2 * np.intersect1d(rows, by_name[node]).size >= len(by_name[node])
    ]
    return np.where(np.isin(here, same), -1, here)


def _claims(name: Name, here: Ints, categories: Categories) -> list[Claim]:
    """A claim where the share is clear, at the first level too: a head at home nowhere is no kind of anything.

    Where the products lie scattered at a deeper level, the name is of a group of kinds ("kidswear"), and the share must be larger.
    """
    n_levels = int(((here >= 0).sum(axis=0) >= _ENOUGH).sum())
    for node, support, share in home(here):
        level = int((here == node).any(axis=0).argmax())
        bound = lower_bound(support, round(support / share))
        if bound >= (SCATTERED if level < n_levels - 1 else MAJORITY):
            return [Claim(name, categories.names[node], COOCCURRENCE, support, share)]
        return _claims(name, here[:, :level], categories) if bound >= MAJORITY else []
    return []


def _modified(
    said: Said, categories: Categories, levels: Ints, rows: Ints, own: Mapping[Name, int], n_titled: Mapping[str, int]
) -> Iterator[Claim]:
    """Claims for one head with each of its modifiers; `rows` are the mentions of it that name a product in a title."""
    head = said.heads[int(said.head[rows[0]])]
    all_here = levels[np.unique(said.product[rows])]
    tried = [
        (unit, some)
        for unit, some in _by_unit(said, rows)
        if len(some) >= (_ENOUGH if len(some) >= COLLOCATED * n_titled[unit] else _ENOUGH_STRANGE)
    ]
    bare = own.get(Name(head))
    if bare is not None and (levels == bare).any():
        # "innerwear t-shirt" is of no other kind of the level at which t-shirts are one
        levels = levels[:, : int((levels == bare).any(axis=0).argmax())]
        all_here = levels[np.unique(said.product[rows])]
    for unit, some in tried:
        name = Name(head, (unit,))
        here = levels[some]
        for claim in [] if name in own else _claims(name, here, categories):
            node = own[claim.high]
            level = int((here == node).any(axis=0).argmax())
            asked = all_here[:, level]
            there, n_asked = int((asked == node).sum()), int((asked >= 0).sum())
            narrower = claim.high.head == head and there > RARE * n_asked
            if narrower or (here[:, :level] == own.get(Name(head), -2)).any():
                continue  # a narrower category of the bare head: no "khaki shoe" is "casual" by being khaki
            among = round(claim.support / claim.confidence)
            chance = _by_chance(claim.support, among, there / n_asked)
            if claim.confidence >= CLEAR and lower_bound(there, n_asked) < MAJORITY and chance <= CHANCE / len(tried):
                yield claim


def _by_chance(k: int, n: int, share: float) -> float:
    """At most how probable k or more of n are when each is one with probability `share` (Chernoff's bound); 1 where k/n <= share."""
    seen = k / n
    if seen <= share:
        return 1.0
    information = seen * math.log(seen / share) + ((1 - seen) * math.log((1 - seen) / (1 - share)) if seen < 1 else 0.0)
    return math.exp(-n * information)


def title_kinds(said: Said, heads: Collection[int]) -> list[Claim]:
    """What the titles call the products that another text calls `heads`: "sneaker" in a text, "shoe" in the title."""
    named = said.first_names
    title_head = np.full(len(said.products), -1, np.int64)
    of_titles = np.flatnonzero(named & said.title)
    title_head[said.product[of_titles]] = said.head[of_titles]
    wanted = np.zeros(len(said.heads) + 1, bool)
    wanted[list(heads)] = True
    head, product = said.pairs(named)
    called = title_head[product]
    together = wanted[head] & wanted[called] & (called >= 0)
    n_titled = np.bincount(title_head[title_head >= 0], minlength=len(said.heads))
    claims = []
    for low, titles in _groups(head[together], called[together]):
        times = np.bincount(titles)
        high = int(times.argmax())
        back = times[high] / max(n_titled[high], 1)
        if high != low and lower_bound(int(times[high]), len(titles)) >= MAJORITY and back < 0.5:
            narrow, broad = Name(said.heads[low]), Name(said.heads[high])
            claims.append(Claim(narrow, broad, COOCCURRENCE, int(times[high]), float(times[high] / len(titles))))
    return claims


def _groups(keys: Ints, values: Ints) -> Iterator[tuple[int, Ints]]:
    """Each key, ascending, with its values in the order they have."""
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    if len(found):
        yield from zip(found.tolist(), np.split(values[order], starts[1:]), strict=True)
