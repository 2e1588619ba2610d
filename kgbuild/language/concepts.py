"""mentions -> concepts, product_concepts: which granularities of the mentioned concepts have support, counted exactly.

Candidates are all that a mention falls under (`kgbuild.subsumption`): any of its modifier units dropped, never split, and units
generalised ("navy blue" -> "blue") where the catalogue itself says the broader unit of that head often enough. A unit that hardly
ever comes alone is a fragment of longer ones ("neck" of "round neck", said of a t-shirt) and makes no concept. A candidate is kept
when at least `min_products` distinct products mention it or something below it, unless it is an echo: it has modifiers, and a finer
concept has the very same mentions. (So a concept at which some mention stops is never an echo, and a bare head is always kept.)

No concept says a word twice ("blue" and "navy blue" of one shirt make two concepts, not one), and no two have the same words: of
two cuts of the same words ({"white", "stripe"} and {"white stripe"}) the one that more products have is a concept.

All of it is a function of the two tables alone; the order of their rows does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kgbuild.identity import concept_id
from kgbuild.language.candidates import (
    Candidate,
    Form,
    Slot,
    fallen_under,
    form_of,
    generalisation_slots,
    one_step_up,
    says_no_word_twice,
)
from kgbuild.language.counts import Counts, Ints, Ragged, count_phrases, sums
from kgbuild.language.labels import concept_label, modifier_order
from kgbuild.tables import TABLES, empty, in_order

__all__ = ["aggregate_concepts", "concept_label", "modifier_order"]

Bools = npt.NDArray[np.bool_]

FRAGMENT_SHARE: Final = 0.1
"""A unit of a head is a fragment when, of the products that say it or a longer unit it generalises, fewer than this say it as it is.

Read off the val catalogue: below lie neck t-shirt .03, pattern outsole .07, dial watch .09; above sleeve top .15, print t-shirt .15,
chest logo .22, lug outsole .20, stripe shirt .48.
"""


def aggregate_concepts(
    mentions: pa.Table, texts: pa.Table, *, min_products: int, max_modifiers: int
) -> tuple[pa.Table, pa.Table]:
    """The concepts with enough support, and for each product the most specific of them that it mentions.

    Args:
        mentions: table mentions (each row one maximal concept in one text).
        texts: at least `text_id` and `product_id` of every text mentioned.
        min_products: distinct products that a concept needs.
        max_modifiers: modifiers that a concept has at most.

    Returns:
        Tables concepts and product_concepts. In the latter a concept is left out where a finer one of the same product stands;
        its n_mentions are the product's mentions that it subsumes.

    Raises:
        TableError: a mention's text is not in `texts`.
    """
    if not mentions.num_rows:
        return empty("concepts"), empty("product_concepts")
    phrases, counts, products = count_phrases(mentions, texts)
    heads = phrases["head_noun"].to_pylist()
    units, unit_lists = _number_units(heads, phrases["modifiers"].to_pylist())
    slots = _slots(units, counts.spread(unit_lists), min_products)

    forms, form_numbers = _forms(heads, unit_lists, slots)
    counts = counts.renamed(form_numbers)
    candidates, under = _candidates(forms, max_modifiers, units)
    # What few mentions reach cannot have support, and is left out before products are told apart.
    n_mentions = _mentions_under(under, counts, len(forms), len(candidates))
    candidates, under, n_mentions = _keep(candidates, under, n_mentions, n_mentions >= min_products)
    n_products = np.bincount(counts.spread(under).phrase, minlength=len(candidates))
    candidates, under, n_mentions = _keep(candidates, under, n_mentions, n_products >= min_products)
    candidates, under, _ = _keep(candidates, under, n_mentions, ~_echoes(candidates, slots, n_mentions))

    labels = _labels(candidates, units, modifier_order(mentions))
    sizes = [(len(some), sorted(units[unit][1] for unit in some)) for _, some in candidates]
    spread = counts.spread(under)
    n_products = np.bincount(spread.phrase, minlength=len(candidates))
    if not (unlike := _first_of_label(labels, sizes, n_products)).all():
        candidates, under, _ = _keep(candidates, under, n_products, unlike)
        labels = list(compress(labels, unlike))
        spread = counts.spread(under)
    links = _most_specific(candidates, slots, under, counts, spread)
    concepts = _concept_rows(candidates, units, spread, labels)
    return concepts, _link_rows(links, candidates, units, products)


def _number_units(heads: Sequence[str], modifiers: Sequence[Sequence[str]]) -> tuple[list[tuple[str, str]], Ragged]:
    """The distinct (head, unit), and the numbers of each phrase's units, ascending."""
    numbers: dict[tuple[str, str], int] = {}
    lists = Ragged.of(
        sorted(numbers.setdefault((head, unit), len(numbers)) for unit in set(units))
        for head, units in zip(heads, modifiers, strict=True)
    )
    return list(numbers), lists


def _slots(units: Sequence[tuple[str, str]], said: Counts, min_products: int) -> list[Slot]:
    """What may stand for each unit; `said` counts the products that say it as it is."""
    n_said = np.bincount(said.phrase, minlength=len(units))
    enough = (n_said >= min_products) & np.array([says_no_word_twice(pair) for pair in units], bool)
    slots = generalisation_slots(units, enough.tolist())
    n_meant = np.bincount(said.spread(Ragged.of(slots)).phrase, minlength=len(units))
    return generalisation_slots(units, (enough & (n_said >= FRAGMENT_SHARE * n_meant)).tolist())


def _forms(heads: Sequence[str], unit_lists: Ragged, slots: Sequence[Slot]) -> tuple[list[Form], Ints]:
    """The distinct forms, and the number of each phrase's form."""
    numbers: dict[Form, int] = {}
    per_phrase = [
        numbers.setdefault(form_of(head, units, slots), len(numbers))
        for head, units in zip(heads, unit_lists, strict=True)
    ]
    return list(numbers), np.array(per_phrase, np.int64)


def _candidates(
    forms: Sequence[Form], max_modifiers: int, units: Sequence[tuple[str, str]]
) -> tuple[list[Candidate], Ragged]:
    """All that the forms fall under and that says no word twice, each once, and the numbers of it for each form."""
    numbers: dict[Candidate, int] = {}
    several = [" " in unit for _, unit in units]
    under = Ragged.of(
        [
            numbers.setdefault((head, some), len(numbers))
            for some in fallen_under(slots, max_modifiers)
            if not any(several[unit] for unit in some) or says_no_word_twice([units[unit][1] for unit in some])
        ]
        for head, slots in forms
    )
    return list(numbers), under


def _labels(candidates: Sequence[Candidate], units: Sequence[tuple[str, str]], order: Mapping[str, float]) -> list[str]:
    return [concept_label(head, [units[unit][1] for unit in some], order=order) for head, some in candidates]


def _first_of_label(labels: Sequence[str], sizes: Sequence[tuple[int, list[str]]], n_products: Ints) -> Bools:
    """Which candidates have most products of those with the same words, the last one (what it is) in the same place.

    Ties go to fewer units, then to the alphabet.
    """
    words = [label.split() for label in labels]
    same = [(some[-1], *sorted(some)) for some in words]
    ranked = sorted(range(len(labels)), key=lambda one: (same[one], -int(n_products[one]), sizes[one]))
    first = np.zeros(len(labels), bool)
    for place, one in enumerate(ranked):
        first[one] = place == 0 or same[ranked[place - 1]] != same[one]
    return first


def _mentions_under(under: Ragged, counts: Counts, n_forms: int, n_candidates: int) -> Ints:
    of_form = sums(counts.phrase, counts.mentions, n_forms)
    rows, values = under.expand(np.arange(n_forms))
    return sums(values, of_form[rows], n_candidates)


def _keep(
    candidates: Sequence[Candidate], under: Ragged, n_mentions: Ints, wanted: Bools
) -> tuple[list[Candidate], Ragged, Ints]:
    return list(compress(candidates, wanted)), under.filtered(wanted), n_mentions[wanted]


def _echoes(candidates: Sequence[Candidate], slots: Sequence[Slot], n_mentions: Ints) -> Bools:
    """Which candidates have modifiers, and a candidate one step finer with the same mentions.

    Equal counts are equal sets here, since the broader concept's mentions include the finer one's. A chain of equal sets ends at a
    candidate that is no echo, so none is lost without a finer one to speak for it.
    """
    numbers = {one: number for number, one in enumerate(candidates)}
    echoes = np.zeros(len(candidates), bool)
    counted = n_mentions.tolist()
    for (head, units), number in numbers.items():
        for above in one_step_up(units, slots):
            broader = numbers[head, above]
            if above and counted[broader] == counted[number]:
                echoes[broader] = True
    return echoes


def _most_specific(
    candidates: Sequence[Candidate], slots: Sequence[Slot], under: Ragged, counts: Counts, spread: Counts
) -> Counts:
    """The rows of `spread` (who falls under what) for which no finer concept of the same product is there."""
    numbers = {one: number for number, one in enumerate(candidates)}
    above = []
    for number, (head, units) in enumerate(candidates):
        some = fallen_under([slots[unit] for unit in units], len(units))
        above.append({numbers[head, one] for one in some if (head, one) in numbers} - {number})
    lowest = Ragged.of(sorted(set(found).difference(*(above[one] for one in found))) for found in under)
    links = counts.spread(lowest)
    covered = links.spread(Ragged.of([sorted(some) for some in above]))
    left = np.setdiff1d(links.keys(), covered.keys(), assume_unique=True)
    return spread.only(np.isin(spread.keys(), left, assume_unique=True))


def _concept_rows(
    candidates: Sequence[Candidate], units: Sequence[tuple[str, str]], spread: Counts, labels: Sequence[str]
) -> pa.Table:
    heads = [head for head, _ in candidates]
    modifiers = [sorted(units[unit][1] for unit in numbers) for _, numbers in candidates]
    columns = {
        "concept_id": [concept_id(head, some) for head, some in zip(heads, modifiers, strict=True)],
        "label": labels,
        "head_noun": heads,
        "modifiers": modifiers,
        "n_mentions": sums(spread.phrase, spread.mentions, len(candidates)),
        "n_products": np.bincount(spread.phrase, minlength=len(candidates)),
    }
    return in_order(pa.table(columns, schema=TABLES["concepts"].schema), "concepts")


def _link_rows(
    links: Counts, candidates: Sequence[Candidate], units: Sequence[tuple[str, str]], products: Sequence[str]
) -> pa.Table:
    ids = pa.array(
        [concept_id(head, (units[unit][1] for unit in numbers)) for head, numbers in candidates], pa.string()
    )
    columns = {
        "product_id": pa.array(products, pa.string()).take(pa.array(links.product)),
        "concept_id": ids.take(pa.array(links.phrase)),
        "n_mentions": pa.array(links.mentions),
    }
    return in_order(pa.table(columns), "product_concepts")
