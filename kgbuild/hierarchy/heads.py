"""Mentions, texts, products -> head_edges: what no modifier can tell, "kurta" is-a "topwear", "cotton" is-a "material".

Each domain has one root. The first level of the category path gives the domains of products; parts, materials, patterns and details
are told apart by how the language model reads their heads and how these are used (`domains`). Below the roots stand the categories
(`categories`), the heads that name products (`kinds`), and what texts and a seed taxonomy say of heads of the same domain (`patterns`,
`taxonomy`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from kgbuild.domains import DOMAINS, OTHER, PRODUCT
from kgbuild.hierarchy.accept import Accepted
from kgbuild.hierarchy.categories import Categories, read_categories
from kgbuild.hierarchy.category_names import labelled
from kgbuild.hierarchy.category_places import placed_by_titles
from kgbuild.hierarchy.domains import learn_domains
from kgbuild.hierarchy.kinds import category_kinds, product_senses, title_kinds
from kgbuild.hierarchy.names import (
    COMPOUND,
    HEAD_RULES,
    PATTERN,
    USAGE,
    Claim,
    Name,
    NameOf,
    lower_bound,
)
from kgbuild.hierarchy.patterns import stated
from kgbuild.hierarchy.said import Said
from kgbuild.hierarchy.taxonomy import taxonomy_claims
from kgbuild.hierarchy.usage import count_usage
from kgbuild.tables import in_order

_TITLED: Final = 0.05
"""The share (its lower bound) of a head's products whose titles have it as their name that makes it a product's for sure, if
at least half of these titles are read so."""
_HEADED: Final = 0.05
"""And the share of a head's products that lie in categories of that head: of all sleeves few are a "Tablet Sleeve"."""
_DOUBTFUL: Final = 0.5
"""A less probable domain gives way to that of the last word of the name."""


def find_head_edges(
    mentions: pa.Table,
    texts: pa.Table,
    products: pa.Table,
    *,
    name_of: NameOf,
    min_products: int,
    rules: Collection[str] = HEAD_RULES,
    taxonomy: Sequence[tuple[str, ...]] = (),
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """What kind of thing heads name, the edges between them, and the category concept of each product.

    Args:
        mentions: table mentions.
        texts: table texts.
        products: at least `product_id` and `category_path` of every product.
        name_of: reads a category's name (or a taxonomy's) as head noun and modifiers.
        min_products: a head, and a category, needs so many products.
        rules: those of `HEAD_RULES` that may be used. `usage` is what leads every head to a root.
        taxonomy: paths of a seed taxonomy, from `read_taxonomy`.

    Returns:
        Tables heads, head_edges (no circle, also none through modifiers) and product_categories.
    """
    said = Said.of(mentions, texts)
    categories = read_categories(products, name_of, min_products=min_products)
    categories = labelled(placed_by_titles(categories, said, name_of), said)
    domain = find_domains(said, texts, categories, min_products=min_products)
    stated_claims = list(_patterns(said, texts, domain))
    if taxonomy:
        known = {Name(said.heads[head]) for head, found in domain.items() if found.name == PRODUCT}.union(
            categories.names
        )
        stated_claims += taxonomy_claims(taxonomy, known, name_of)
    accepted = connect(said, categories, domain, stated_claims, rules=rules)
    return _head_rows(said, domain), _edge_rows(accepted.claims), _category_rows(categories)


class Found(NamedTuple):
    """The domain of a head, how probable that is, and how many products say the head."""

    name: str
    sure: float
    n_products: int


def find_domains(said: Said, texts: pa.Table, categories: Categories, *, min_products: int) -> dict[int, Found]:
    """The domain of each head (number of `said`) with enough products.

    It is surely a product's if it heads the names of categories that hold some of its products, or if titles have it
    as their name for some of the products that say it and are mostly read so: a part is hardly ever that, "heel" is both, and a "can" in
    a deodorant's title is packaging.
    """
    n_products = said.products_a_head()
    heads = np.flatnonzero(n_products >= min_products).tolist()
    names = [said.heads[head] for head in heads]
    once = said.not_repeated(texts)
    usage = count_usage(said, texts, heads)
    found = learn_domains(names, said.readings(heads, once), usage, n_products[heads].tolist())
    naming = said.first_names & said.title
    titled, so_read = (
        np.bincount(said.pairs(some)[0], minlength=len(said.heads)).tolist()
        for some in (naming, naming & (said.domain == DOMAINS.index(PRODUCT)))
    )
    headed = Counter[str]()
    for node, rows in categories.rows_of():
        headed[categories.names[node].head] += len(rows)
    domain = {}
    for head, name, kind, sure in zip(heads, names, *found, strict=True):
        n = int(n_products[head])
        is_name = lower_bound(titled[head], n) >= _TITLED and 2 * so_read[head] >= titled[head]
        surely = is_name or lower_bound(min(n, headed[name]), n) >= _HEADED
        domain[head] = Found(*((PRODUCT, 1.0) if surely else (kind, sure)), n)
    return domain


def _patterns(said: Said, texts: pa.Table, domain: Mapping[int, Found]) -> Iterator[Claim]:
    """What two products' texts or more state of two heads of one domain, and no more texts the other way round.

    What is broader must not be said by far fewer products: "the upper is an inner sleeve" holds of two shoes, not of uppers.
    """
    counts = stated(said, texts)
    for (low, high), n in sorted(counts.items()):
        back = counts.get((high, low), 0)
        one, other = domain.get(low), domain.get(high)
        if n < 2 or n <= back or one is None or other is None or one.name != other.name:
            continue
        if 2 * other.n_products >= one.n_products:
            yield Claim(Name(said.heads[low]), Name(said.heads[high]), PATTERN, n, (n + 1) / (n + back + 2))


def _compounds(said: Said, domain: Mapping[int, Found]) -> Iterator[Claim]:
    """A "v-neck" is a "neck", if they are of one domain or its own is doubtful; not for products: a t-shirt is no shirt."""
    number = {said.heads[head]: head for head, found in domain.items() if found.name not in (PRODUCT, OTHER)}
    for word, head in number.items():
        words = word.replace("-", " ").split()
        last = number.get(words[-1])
        if len(words) < 2 or last is None:
            continue
        if domain[head].name == domain[last].name or domain[head].sure < _DOUBTFUL:
            yield Claim(Name(word), Name(words[-1]), COMPOUND, domain[head].n_products, 0.9)


def connect(
    said: Said,
    categories: Categories,
    domain: Mapping[int, Found],
    stated_claims: Sequence[Claim],
    *,
    rules: Collection[str] = HEAD_RULES,
) -> Accepted:
    """The claims of the rules in force, without circles; then a root for every head and category that reaches none.

    Args:
        said: the mentions.
        categories: the categories, with their labels.
        domain: from `find_domains`.
        stated_claims: what texts and a taxonomy say outright. Taken only where it leads to no second root ("the upper is a mesh").
        rules: as for `find_head_edges`.
    """
    accepted = Accepted(
        [*(categories.names[node] for node in categories.roots()), *(Name(name) for name in DOMAINS if name != OTHER)]
    )
    of_products = [head for head, found in domain.items() if found.name == PRODUCT]
    others = [head for head, found in domain.items() if found.name not in (PRODUCT, OTHER)]
    claims = [*categories.claims(), *category_kinds(said, categories, of_products), *_compounds(said, domain)]
    claims += product_senses(said, categories, others)
    accepted.take(claim for claim in claims if claim.rule in rules)
    placed = frozenset(categories.names)
    homeless = [
        head
        for head in of_products
        if Name(said.heads[head]) not in placed and not _nearer(accepted, Name(said.heads[head]))
    ]
    accepted.take(claim for claim in title_kinds(said, homeless) if claim.rule in rules)
    accepted.take(claim for claim in stated_claims if claim.rule in rules and _agree(accepted, claim))
    if USAGE in rules:
        heads = [(Name(said.heads[head]), *found) for head, found in sorted(domain.items()) if found.name != OTHER]
        mentioned = {name.head for name, *_ in heads}
        nodes = [
            (name, PRODUCT, 1.0, 0) for name in categories.names if not name.modifiers or name.head not in mentioned
        ]
        # What has nothing above it is the end of a chain: once these have a root, all below them have it.
        ends = [one for one in (*heads, *nodes) if all(above == one[0] for above in accepted.reached(one[0]))]
        accepted.take(Claim(name, Name(to), USAGE, support, sure) for name, to, sure, support in ends)
    return accepted


def _nearer(accepted: Accepted, name: Name) -> bool:
    """Whether something other than a root is above a name, or it is a root."""
    return name in accepted.roots or any(one not in accepted.roots and one != name for one in accepted.reached(name))


def _agree(accepted: Accepted, claim: Claim) -> bool:
    low, high = accepted.roots_of(claim.low), accepted.roots_of(claim.high)
    return not low or low == high


def _head_rows(said: Said, domain: Mapping[int, Found]) -> pa.Table:
    columns = {
        "head_noun": [said.heads[head] for head in domain],
        "domain": [found.name for found in domain.values()],
        "confidence": pa.array([found.sure for found in domain.values()], pa.float32()),
        "n_products": pa.array([found.n_products for found in domain.values()], pa.int64()),
    }
    return in_order(pa.table(columns), "heads")


def _edge_rows(claims: Sequence[Claim]) -> pa.Table:
    columns = {
        "hyponym_id": [claim.low.id for claim in claims],
        "hypernym_id": [claim.high.id for claim in claims],
        "hyponym_head": [claim.low.head for claim in claims],
        "hyponym_modifiers": pa.array([claim.low.modifiers for claim in claims], pa.list_(pa.string())),
        "hypernym_head": [claim.high.head for claim in claims],
        "hypernym_modifiers": pa.array([claim.high.modifiers for claim in claims], pa.list_(pa.string())),
        "rule": [claim.rule for claim in claims],
        "support": pa.array([claim.support for claim in claims], pa.int64()),
        "confidence": pa.array([round(claim.confidence, 4) for claim in claims], pa.float32()),
    }
    return in_order(pa.table(columns), "head_edges")


def _category_rows(categories: Categories) -> pa.Table:
    rows = list(categories.deepest())
    columns = [[product for product, _ in rows], [name.id for _, name in rows]]
    return in_order(
        pa.table([pa.array(column, pa.string()) for column in columns], ["product_id", "concept_id"]),
        "product_categories",
    )
