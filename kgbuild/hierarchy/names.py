"""What the edges between heads connect: names of concepts, found before it is known which concepts there are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from kgbuild.identity import concept_id


class Name(NamedTuple):
    """A concept by its head noun and its modifiers (ascending)."""

    head: str
    modifiers: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id of the concept of this name."""
        return concept_id(self.head, self.modifiers)


def product_label(name: Name) -> Name:
    """What a category goes by whose name is no kind of its products: "lip product"."""
    return Name(f"{name.head} product")


NameOf = Callable[[str], tuple[str, tuple[str, ...]]]
"""Reads a written name ("Casual Shoes") by the rules of the texts: head noun and modifiers; the head is empty where there is none."""


class Claim(NamedTuple):
    """That `low` is a kind of `high`: by which rule, how many products say so, and how sure it is (0-1)."""

    low: Name
    high: Name
    rule: str
    support: int
    confidence: float


CATEGORY, COOCCURRENCE, PATTERN, COMPOUND, TAXONOMY, USAGE = HEAD_RULES = (
    "category",
    "cooccurrence",
    "pattern",
    "compound",
    "seed_taxonomy",
    "usage",
)

Z: Final = 1.2816
"""Normal quantile of 90 %: the chance that the true share is lower than the bound is one in ten."""


def lower_bound(k: float, n: float) -> float:
    """Lower end of Wilson's score interval (1927) for a share of k in n; 0 for n = 0. Three of three give .65, two of two .55."""
    if n <= 0:
        return 0.0
    share, z2 = k / n, Z * Z
    return (share + z2 / (2 * n) - Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
