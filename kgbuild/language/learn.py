"""Learning the concept model from annotated texts.

Roles come first; the link classifier sees role probabilities from models that did not train on the text (five folds), as
it will in use. Links decided earlier are features of later ones: a first round sees the true ones, later rounds those
that a model of the other folds decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kgbuild.language.align import Graph
from kgbuild.language.features import Context, Roles, atom_features, pair_features
from kgbuild.language.model import ConceptModel, candidates, logit, probability

ROLES = ("listed", "whole", "part")


@dataclass
class Sample:
    """One text to learn from; `group` keeps the texts of a product in one fold."""

    context: Context
    gold: Graph
    group: int


def role_labels(sample: Sample) -> dict[str, list[bool]]:
    """The true roles of every atom."""
    wholes = sample.gold.listed | {whole for _, whole in sample.gold.links}
    parts = {part for part, _ in sample.gold.links}
    size = range(len(sample.context.atoms))
    return {
        "listed": [i in sample.gold.listed for i in size],
        "whole": [i in wholes for i in size],
        "part": [i in parts for i in size],
    }


def fit(rows: Sequence[Sequence[str]], labels: Sequence[bool], *, strength: float) -> dict[str, float]:
    """Logistic regression over string features; features seen once are left out; `strength` is the inverse of L2."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    counts: dict[str, int] = {}
    for row in rows:
        for name in row:
            counts[name] = counts.get(name, 0) + 1
    index = {name: i for i, name in enumerate(sorted(name for name, n in counts.items() if n > 1))}
    columns = [index[name] for row in rows for name in row if name in index]
    ends = np.cumsum([0, *(sum(name in index for name in row) for row in rows)])
    matrix = csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(rows), len(index)))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    model = LogisticRegression(C=strength, solver="liblinear", fit_intercept=False, tol=1e-3, max_iter=200)
    model.fit(matrix, np.asarray(labels))
    return {name: round(float(model.coef_[0, i]), 4) for name, i in index.items() if abs(model.coef_[0, i]) > 5e-4}


def learn_roles(samples: Iterable[Sample], *, strength: float = 0.3) -> dict[str, dict[str, float]]:
    """Weights of the three role classifiers."""
    rows: list[list[str]] = []
    labels: dict[str, list[bool]] = {role: [] for role in ROLES}
    for sample in samples:
        rows += [atom_features(sample.context, i) for i in range(len(sample.context.atoms))]
        for role, values in role_labels(sample).items():
            labels[role] += values
    return {role: fit(rows, labels[role], strength=strength) for role in ROLES}


def learn_links(
    samples: Sequence[Sample],
    roles: Sequence[Roles],
    decided: Sequence[set[tuple[int, int]]] | None,
    *,
    strength: float = 0.2,
) -> dict[str, float]:
    """Weights of the link classifier; `decided` are the links taken as history, None: the true ones."""
    rows, labels = [], []
    for place, (sample, role) in enumerate(zip(samples, roles, strict=True)):
        history = sample.gold.links if decided is None else decided[place]
        past: set[tuple[int, int]] = set()
        for part, whole in candidates(sample.context, role, 0.05):
            rows.append(pair_features(sample.context, role, part, whole, past))
            labels.append((part, whole) in sample.gold.links)
            if (part, whole) in history:
                past.add((part, whole))
    return fit(rows, labels, strength=strength)


def decide(model: ConceptModel, sample: Sample, roles: Roles) -> set[tuple[int, int]]:
    """The links that a model decides with those roles."""
    linked: set[tuple[int, int]] = set()
    weights, threshold = model.weights["link"], logit(model.thresholds["link"])
    for part, whole in candidates(sample.context, roles, model.thresholds["candidate"]):
        features = pair_features(sample.context, roles, part, whole, linked)
        if sum(weights.get(f, 0.0) for f in features) > threshold:
            linked.add((part, whole))
    return linked


Progress = Callable[[str], None]


def learn(
    samples: Sequence[Sample], *, folds: int = 5, rounds: int = 1, progress: Progress = lambda _: None
) -> ConceptModel:
    """The concept model of all samples."""
    groups = [sample.group % folds for sample in samples]
    roles: list[Roles] = [Roles([], [], [])] * len(samples)
    fold_models = []
    for fold in range(folds):
        model = ConceptModel(learn_roles(s for s, g in zip(samples, groups, strict=True) if g != fold))
        fold_models.append(model)
        for place, sample in enumerate(samples):
            if groups[place] == fold:
                roles[place] = model.roles(sample.context)
        progress(f"roles of fold {fold}")
    decided: list[set[tuple[int, int]]] | None = None
    for turn in range(rounds):
        fresh: list[set[tuple[int, int]]] = [set()] * len(samples)
        for fold, model in enumerate(fold_models):
            inside = [i for i, g in enumerate(groups) if g != fold]
            past = None if decided is None else [decided[i] for i in inside]
            model.weights["link"] = learn_links([samples[i] for i in inside], [roles[i] for i in inside], past)
            for place, sample in enumerate(samples):
                if groups[place] == fold:
                    fresh[place] = decide(model, sample, roles[place])
        decided = fresh
        progress(f"links of round {turn}")
    final = ConceptModel(learn_roles(samples))
    final.weights["link"] = learn_links(samples, roles, decided)
    return final


__all__ = ["Sample", "learn", "logit", "probability"]
