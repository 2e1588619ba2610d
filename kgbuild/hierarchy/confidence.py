"""How far to trust an edge that generalises units."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kgbuild.hierarchy.numbered import Ints, expand, found_in, ranked, starts_of
from kgbuild.hierarchy.units import Broader, NumberedConcepts

Floats = npt.NDArray[np.float64]


def generalisation_confidence(concepts: NumberedConcepts, low: Ints, high: Ints, broader: Broader) -> Floats:
    """The confidence of each edge: the product over the hypernym's new units of the best that a unit given up says for it."""
    edge, at = expand(concepts.starts, high)
    general = concepts.units[at]
    place, at = expand(concepts.starts, low[edge])  # each unit of the hypernym beside each of the hyponym
    specific = concepts.units[at]
    first_of = np.cumsum(np.diff(concepts.starts)[low]) - concepts.starts[low + 1]
    given_up = at + first_of[edge[place]]  # numbers the units of all hyponyms
    same = specific == general[place]
    new, left_out = np.ones(len(edge), bool), np.ones(int(given_up.max(initial=-1)) + 1, bool)
    new[place[same]], left_out[given_up[same]] = False, False
    some = np.flatnonzero(new[place] & left_out[given_up])

    n_units = len(concepts.unit_names)
    pairs = broader.specific() * n_units + broader.general
    order = np.argsort(pairs)
    wanted = specific[some] * n_units + general[place[some]]
    fits = found_in(wanted, pairs[order])
    said = _regularity(concepts, broader)[order][np.searchsorted(pairs[order], wanted[fits])]
    best = np.zeros(len(edge))
    np.maximum.at(best, place[some[fits]], said)
    confidence = np.ones(len(low))
    np.multiply.at(confidence, edge[new], best[new])
    return confidence


def _regularity(concepts: NumberedConcepts, broader: Broader) -> Floats:
    """For each entry of `broader`: (heads with both + 1) / (heads with the specific unit + 2)."""
    n_heads, n_units = max(len(concepts.head_names), 1), len(concepts.unit_names)
    specific = broader.specific()
    of_interest = np.zeros(n_units, bool)
    of_interest[specific] = of_interest[broader.general] = True
    entries = np.flatnonzero(of_interest[concepts.units])
    said = concepts.units[entries] * n_heads + concepts.heads[concepts.rows[entries]]
    unit_heads: Ints = ranked(pa.array(said))[1].to_numpy()
    starts = starts_of(unit_heads // n_heads, n_units)
    pair, at = expand(starts, specific)
    both = found_in(broader.general[pair] * n_heads + unit_heads[at] % n_heads, unit_heads)
    together = np.bincount(pair[both], minlength=len(specific))
    return (together + 1) / (np.diff(starts)[specific] + 2)
