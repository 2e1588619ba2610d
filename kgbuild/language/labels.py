"""Readable labels: a concept's modifiers in the order in which the catalogue itself writes them.

English puts some kinds of modifiers before others ("women white cotton shirt", not "cotton white women shirt"). Nobody lists the
kinds here: each unit has a precedence, the share of pairs in which it stands further from the head than its neighbour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc


def concept_label(head_noun: str, modifiers: Collection[str], *, order: Mapping[str, float]) -> str:
    """Modifiers by falling precedence (ties by the alphabet), then the head: "men white short sleeve t-shirt"."""
    ranked = sorted(modifiers, key=lambda unit: (-order.get(unit, 0.5), unit))
    return " ".join([*ranked, head_noun])


def modifier_order(mentions: pa.Table) -> dict[str, float]:
    """The precedence of each unit: how often it comes first when two units stand before a head, 0-1, smoothed towards 0.5.

    Reads `surface_form`, `head_noun` and `modifiers` of a mentions table; the order of its rows does not matter. Units that never
    stand before a head beside another are absent (they count as 0.5).
    """
    first: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for surface, head, modifiers, count in _distinct(mentions):
        units = _units_before_head(surface, head, modifiers)
        for place, unit in enumerate(units):
            first[unit] += count * (len(units) - 1 - place)
            pairs[unit] += count * (len(units) - 1)
    return {unit: (first[unit] + 1) / (n + 2) for unit, n in pairs.items() if n}


def _distinct(mentions: pa.Table) -> Iterable[tuple[str, str, list[str], int]]:
    """Each (surface, head, modifiers) once, with the number of its mentions; only those with two units or more."""
    several = mentions.filter(pc.greater(pc.list_value_length(mentions["modifiers"]), 1))
    several = several.select(["surface_form", "concept_id", "head_noun", "modifiers"]).combine_chunks()
    rows = several.append_column("row", pa.array(range(several.num_rows), pa.int64()))
    groups = rows.group_by(["surface_form", "concept_id"]).aggregate([("row", "min"), ("row", "count")])
    chosen = several.take(groups["row_min"])
    columns = [chosen[name].to_pylist() for name in ("surface_form", "head_noun", "modifiers")]
    return zip(*columns, groups["row_count"].to_pylist(), strict=True)


def _units_before_head(surface: str, head: str, modifiers: Collection[str]) -> list[str]:
    """The units found in the surface form before the head noun, in the order of the text."""
    text = _plain(surface)
    end = text.rfind(_plain(head))
    found = [(text.find(_plain(unit), 0, end + 1), unit) for unit in modifiers] if end >= 0 else []
    return [unit for place, unit in sorted(found) if place >= 0]


def _plain(phrase: str) -> str:
    """Lower case, hyphens as spaces, plural and genitive endings off, a space at each end.

    So " short sleeve " is found in " short sleeve t shirt ", which was "Short Sleeves T-shirt".
    """
    words = phrase.lower().replace("-", " ").replace(",", " ").replace("\u2019", "'").split()
    return f" {' '.join(word.removesuffix('s').removesuffix(chr(39)) for word in words)} "
