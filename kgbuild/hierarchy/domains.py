"""What kind of thing each head noun names in this catalogue, from how its mentions were read one by one and from how it is used.

The language model reads the kind off each mention (column `domain` of mentions). What it does not know it guesses, a noun at a time; used
alike are things alike (`usage`), so a classifier over usage learns from the readings of all head nouns and has its say on each:
multinomial logistic regression in its dual form, whose scores are sums over the head nouns learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.domains import DOMAINS, OTHER
from kgbuild.hierarchy.said import Ints
from kgbuild.hierarchy.usage import Usage
from kgbuild.tables import reject_rows

Matrix = npt.NDArray[np.float64]

SURE_OTHER: Final = 0.6
"""A head noun less probably OTHER than this goes by its next best kind: to leave a thing out is worse than to keep what is none."""

LEAST: Final = 0.4
"""A kind less probable than this is a guess, and the noun OTHER all the same."""

_PRIOR, _FLOOR = 0.3, 1e-4  # readings added to each kind; the least probability of usage
_STEPS, _RIDGE, _TRAINED_ON, _BLOCK = 300, 1e-4, 800, 2_048


def learn_domains(
    heads: Sequence[str], readings: Ints, usage: Usage, n_products: Sequence[int]
) -> tuple[list[str], list[float]]:
    """The domain of each head noun, and how probable it is (rounded to three digits, so that it does not hang on the machine).

    Args:
        heads: the nouns.
        readings: (heads, kinds) how many mentions of each, in different words, were read as each of `kgbuild.domains.DOMAINS`.
        usage: a row for each noun.
        n_products: how many products say it; the commonest are learned from.
    """
    if not heads:
        return [], []
    read = (readings + _PRIOR) / (readings + _PRIOR).sum(axis=1, keepdims=True)
    common = sorted(range(len(heads)), key=lambda head: (-n_products[head], heads[head]))[:_TRAINED_ON]
    rows = np.array(sorted(common))
    kernel = _kernel(usage, rows.tolist())
    used = _softmax(_times(kernel, _fit(kernel[rows], read[rows], read[rows].max(axis=1) ** 2)))
    both = np.log(used + _FLOOR) + np.log(read)
    probable = _softmax(both)
    other = DOMAINS.index(OTHER)
    eligible = probable.copy()
    eligible[probable[:, other] < SURE_OTHER, other] = 0.0
    best = np.where(eligible.max(axis=1) >= LEAST, eligible.argmax(axis=1), other)
    sure = probable[np.arange(len(best)), best].round(3)
    return [DOMAINS[one] for one in best.tolist()], sure.tolist()


def leave_out_others(mentions: pa.Table, heads: pa.Table) -> tuple[pa.Table, pa.Table]:
    """(mentions without those whose head noun names nothing a shopper sees, a reject for each such noun)."""
    others = heads.filter(pc.equal(heads["domain"], OTHER))
    kept = mentions.filter(pc.invert(pc.is_in(mentions["head_noun"], value_set=others["head_noun"].combine_chunks())))
    rows = [
        (row["head_noun"], "names_nothing_seen", f"in {row['n_products']} products; confidence {row['confidence']:.2f}")
        for row in others.to_pylist()
    ]
    return kept, reject_rows("concepts", rows)


def _kernel(usage: Usage, rows: Sequence[int]) -> Matrix:
    """Cosines of all heads (rows) and some of them (columns)."""
    some = usage.dense(rows).T
    count = len(usage.starts) - 1
    blocks = [usage.dense(range(start, min(count, start + _BLOCK))) @ some for start in range(0, count, _BLOCK)]
    cosines: Matrix = np.concatenate(blocks).astype(np.float64)
    return cosines.round(5)  # the last digits hang on the machine's arithmetic


def _fit(kernel: Matrix, target: Matrix, weight: Matrix) -> Matrix:
    """Dual coefficients by gradient descent with momentum in the space of the features (each step is a sum over the rows)."""
    total = weight.sum()
    dual, speed = np.zeros_like(target), np.zeros_like(target)
    for _ in range(_STEPS):
        wrong = (_softmax(_times(kernel, dual)) - target) * weight[:, None] / total
        speed = 0.9 * speed - 0.4 * (wrong + _RIDGE * dual)
        dual = dual + speed
    return dual


def _times(kernel: Matrix, dual: Matrix) -> Matrix:
    """Their product on this core alone: on small matrices the threads of a BLAS wait longer for one another than they work."""
    product: Matrix = np.einsum("ij,kj->ik", kernel, np.ascontiguousarray(dual.T))
    return product


def _softmax(scores: Matrix) -> Matrix:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    probable: Matrix = powers / powers.sum(axis=1, keepdims=True)
    return probable
