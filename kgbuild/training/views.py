"""Texts for a product that differ from epoch to epoch: its title, clauses of its descriptions, its facts in any order.

A small catalogue is learnt by heart within a few epochs when each product always comes with the same words.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ProductText:
    """What a shard row says about a product in words."""

    text: str
    """The text that the batch plan chose."""
    title: str = ""
    brand: str = ""
    clauses: tuple[str, ...] = ()
    """Sentences and lines of the descriptions."""
    facts: tuple[str, ...] = ()
    """Attribute values, category names, concept labels."""


def draw_views(product: ProductText, count: int, rng: random.Random) -> list[str]:
    """`count` texts of one product: the first led by its title, the further ones by its facts and clauses."""
    return [_title_view(product, rng) if number == 0 else _fact_view(product, rng) for number in range(count)]


def _title_view(product: ProductText, rng: random.Random) -> str:
    title = _without_brand(product.title or product.text, product.brand, rng, chance=0.15)
    kind = rng.random()
    if kind < 0.55:
        return _drop_words(title, rng, chance=0.08 if kind < 0.25 else 0.0)
    if kind < 0.8 and product.facts:
        facts = _some(product.facts, rng, 1, 4)
        return ", ".join([title, *facts] if rng.random() < 0.7 else [*facts, title])
    if product.clauses:
        return f"{title}. {rng.choice(product.clauses)}"
    return title


def _fact_view(product: ProductText, rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.6 and product.facts:
        facts = _some(product.facts, rng, 2, 7)
        if product.brand and rng.random() < 0.5:
            facts.insert(0, product.brand)
        return (", " if rng.random() < 0.5 else " ").join(facts)
    if kind < 0.85 and product.clauses:
        start = rng.randrange(len(product.clauses))
        return " ".join(product.clauses[start : start + rng.randint(1, 3)])
    if kind < 0.9 and product.text:
        return product.text
    return _drop_words(product.title or product.text, rng, chance=0.2)


def _without_brand(title: str, brand: str, rng: random.Random, *, chance: float) -> str:
    if not brand or not title.lower().startswith(brand.lower()) or rng.random() >= chance:
        return title
    return title[len(brand) :].strip() or title


def _drop_words(text: str, rng: random.Random, *, chance: float) -> str:
    words = text.split()
    kept = [word for word in words if rng.random() >= chance]
    return " ".join(kept or words)


def _some(values: Sequence[str], rng: random.Random, low: int, high: int) -> list[str]:
    return rng.sample(list(values), min(len(values), rng.randint(low, high)))
