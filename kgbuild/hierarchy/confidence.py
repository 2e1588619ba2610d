"""How far to trust an edge that generalises units."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kgbuild.hierarchy.numbered import Bools, Ints, expand, found_in, ranked, starts_of
from kgbuild.hierarchy.units import Broader, NumberedConcepts

Floats = npt.NDArray[np.float64]


def generalisation_confidence(concepts: NumberedConcepts, low: Ints, high: Ints, broader: Broader) -> Floats:
    """The confidence of each edge: the product over the hypernym's new units of the best that a unit given up says for it."""
    edge, at = expand(concepts.starts, high)
    general = concepts.units[at]
    new = ~_has(concepts, low[edge], general)
    edge, general = edge[new], general[new]
    place, at = expand(concepts.starts, low[edge])
    specific = concepts.units[at]
    n_units = len(concepts.unit_names)
    pairs = broader.specific() * n_units + broader.general
    order = np.argsort(pairs)
    wanted = specific * n_units + general[place]
    fits = np.flatnonzero(found_in(wanted, pairs[order]))
    fits = fits[~_has(concepts, high[edge[place[fits]]], specific[fits])]
    place, wanted = place[fits], wanted[fits]
    said = _regularity(concepts, broader)[order][np.searchsorted(pairs[order], wanted)]
    best = np.zeros(len(edge))
    np.maximum.at(best, place, said)
    confidence = np.ones(len(low))
    np.multiply.at(confidence, edge, best)
    return confidence


def _regularity(concepts: NumberedConcepts, broader: Broader) -> Floats:
    """For each entry of `broader`: (heads with both + 1) / (heads with the specific unit + 2)."""
    n_heads = len(concepts.head_names)
    unit_heads: Ints = ranked(pa.array(concepts.units * n_heads + concepts.heads[concepts.rows]))[1].to_numpy()
    starts = starts_of(unit_heads // max(n_heads, 1), len(concepts.unit_names))
    specific = broader.specific()
    pair, at = expand(starts, specific)
    both = found_in(broader.general[pair] * n_heads + unit_heads[at] % max(n_heads, 1), unit_heads)
    together = np.bincount(pair[both], minlength=len(specific))
    return (together + 1) / (np.diff(starts)[specific] + 2)


def _has(concepts: NumberedConcepts, rows: Ints, units: Ints) -> Bools:
    """Whether each concept has the unit."""
    n_units = len(concepts.unit_names)
    return found_in(rows * n_units + units, concepts.rows * n_units + concepts.units)
