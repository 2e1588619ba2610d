"""What kind of visible thing a head names (product, part, material, pattern, detail), learned from usage and a few examples.

Multinomial logistic regression in its dual form (scores are sums over the training heads), trained on the examples, then on what it is
sure of itself: self-training (Yarowsky 1995), each such head weighted by its confidence and its frequency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from kgbuild.hierarchy.said import Ints
from kgbuild.hierarchy.usage import Usage

Matrix = npt.NDArray[np.float64]

DOMAINS: Final = ("product", "part", "material", "pattern", "detail")
PRODUCT: Final = "product"
REST: Final = "detail"
"""Where a head goes that is not like any domain's examples."""

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "product": ("shirt", "shoe", "bag", "watch", "dress", "trousers", "sandal", "wallet", "perfume", "earring"),
    "part": ("sleeve", "collar", "pocket", "strap", "outsole", "cuff", "handle", "tongue", "dial", "waistband", "closure", "buckle"),
    "material": ("cotton", "leather", "polyester", "nylon", "silk", "steel", "rubber", "spandex"),
    "pattern": ("stripe", "check", "print", "pattern", "dot", "floral"),
    "detail": ("embroidery", "logo", "embellishment", "stitching", "sequin", "badge", "piping", "lace"),
}  # fmt: skip
"""A handful of heads of each domain; all others learn theirs from being used like these."""

UNSURE: Final = 0.4
"""A head whose likeliest domain is less probable than this goes to `REST`; a product must be surer, for much hangs on it."""

SURE_PRODUCT: Final = 0.5

_ROUNDS, _STEPS, _RIDGE, _TRAINED_ON, _BLOCK = 4, 200, 1e-3, 600, 2_048


def learn_domains(
    heads: Sequence[str], usage: Usage, n_products: Sequence[int], examples: Mapping[str, Sequence[str]]
) -> tuple[list[str], list[float]]:
    """The domain of each head, and how probable it is (rounded to three digits, so that it does not hang on the machine)."""
    number = {head: place for place, head in enumerate(heads)}
    known = {
        number[head]: DOMAINS.index(domain) for domain in DOMAINS for head in examples.get(domain, ()) if head in number
    }
    if not known:
        return [REST] * len(heads), [0.0] * len(heads)
    common = sorted(range(len(heads)), key=lambda head: (-n_products[head], heads[head]))[:_TRAINED_ON]
    rows = sorted(known.keys() | set(common))
    kernel = _kernel(usage, rows)
    probable = _self_trained(kernel, np.array(rows), known, np.minimum(np.array(n_products), 30) / 30)
    product, rest = DOMAINS.index(PRODUCT), DOMAINS.index(REST)
    eligible = np.where((np.arange(len(DOMAINS)) != product) | (probable >= SURE_PRODUCT), probable, 0.0)
    best = np.where(eligible.max(axis=1) >= UNSURE, eligible.argmax(axis=1), rest)
    sure = np.round(probable[np.arange(len(best)), best], 3)
    return [DOMAINS[one] for one in best.tolist()], sure.tolist()


def _kernel(usage: Usage, rows: Sequence[int]) -> Matrix:
    """Cosines of all heads (rows) and some of them (columns)."""
    some = usage.dense(rows).T
    count = len(usage.starts) - 1
    blocks = [usage.dense(range(start, min(count, start + _BLOCK))) @ some for start in range(0, count, _BLOCK)]
    cosines: Matrix = np.concatenate(blocks).astype(np.float64)
    return cosines.round(5)  # the last digits hang on the machine's arithmetic


def _self_trained(kernel: Matrix, rows: Ints, known: Mapping[int, int], frequent: Matrix) -> Matrix:
    """Probabilities (heads, domains) after some rounds of training on `rows`; those of `known` heads stay what they are."""
    fixed = np.array([known.get(int(row), -1) for row in rows])
    truth = np.eye(len(DOMAINS))[np.maximum(fixed, 0)]
    examples = np.bincount(fixed[fixed >= 0], minlength=len(DOMAINS))
    # domains of few examples weigh more, so that many categories, which lend their names to products, do not drown the rest
    even = np.where(fixed >= 0, (examples.max() / np.maximum(examples, 1))[np.maximum(fixed, 0)], 0.0)
    target, weight = truth, even
    for _ in range(_ROUNDS):
        probable = _softmax(_times(kernel, _fit(kernel[rows], target, weight)))
        target = np.where((fixed >= 0)[:, None], truth, probable[rows])
        weight = np.where(fixed >= 0, even, 0.5 * probable[rows].max(axis=1) ** 2 * frequent[rows])
    probable[list(known)] = np.eye(len(DOMAINS))[list(known.values())]
    return probable


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
