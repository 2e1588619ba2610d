"""Learning the concept model from annotated texts.

Every later step sees what earlier steps say about texts they did not learn from (five folds), as it will in use: links
see such roles and such earlier links (in a first round the true ones), and "heads a concept" sees such links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from kgbuild.language.align import Graph
from kgbuild.language.features import Context, Decided, Roles, atom_features, near_of, pair_features, settled_features
from kgbuild.language.model import ROLES, ConceptModel, Links, candidates, is_settled_candidate, logit

Progress = Callable[[str], None]
Bools = npt.NDArray[np.bool_]


@dataclass
class Sample:
    """One text to learn from; `group` keeps the texts of a product in one fold."""

    context: Context
    gold: Graph
    group: int


@dataclass
class Strength:
    """Inverse of the L2 penalty for each classifier."""

    roles: float = 0.4
    link: float = 0.2
    settled: float = 0.3


class Design:
    """A sparse 0/1 design matrix over string features, with the truth and the fold of every row."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._columns: list[int] = []
        self._ends = [0]
        self.labels: list[Any] = []
        self.groups: list[int] = []

    def add(self, features: Iterable[str], label: object, group: int) -> None:
        """One row."""
        index = self._index
        self._columns += [index.setdefault(name, len(index)) for name in set(features)]
        self._ends.append(len(self._columns))
        self.labels.append(label)
        self.groups.append(group)

    def close(self) -> tuple[csr_matrix, list[str], npt.NDArray[Any], npt.NDArray[np.int64]]:
        """(matrix, names of its columns, labels, groups); features of one row only are left out."""
        matrix = csr_matrix((np.ones(len(self._columns), np.float32), self._columns, self._ends))
        kept = np.flatnonzero(np.asarray(matrix.sum(0)).ravel() > 1)
        names = list(self._index)
        return matrix[:, kept], [names[i] for i in kept], np.array(self.labels), np.array(self.groups)


def role_labels(sample: Sample) -> list[tuple[bool, bool, bool]]:
    """The true roles (listed, whole, part) of every atom."""
    wholes = sample.gold.listed | {whole for _, whole in sample.gold.links}
    parts = {part for part, _ in sample.gold.links}
    return [(i in sample.gold.listed, i in wholes, i in parts) for i in range(len(sample.context.atoms))]


def _fit(matrix: csr_matrix, labels: npt.NDArray[Any], strength: float) -> npt.NDArray[np.float64]:
    # liblinear takes 64-bit values and permutes rows by its own generator: the seed makes runs equal
    model = LogisticRegression(C=strength, solver="liblinear", fit_intercept=False, tol=1e-3, random_state=0)
    return model.fit(matrix.astype(np.float64), labels).coef_[0]


def _named(names: list[str], weights: npt.NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(w), 3) for name, w in zip(names, weights, strict=True) if abs(w) >= 0.002}


def _best_threshold(values: npt.NDArray[np.float64], labels: Bools, missed: int) -> float:
    """The probability above which F1 over held-out rows is best; `missed` true rows were never asked about."""
    order = np.argsort(-values)
    right = np.cumsum(labels[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + labels.sum() + missed)
    cut = values[order][int(np.argmax(f1))]
    return round(float(1 / (1 + np.exp(-np.clip(cut, -1.4, 0.4)))), 3)


def learn(
    samples: Sequence[Sample],
    *,
    folds: int = 5,
    rounds: int = 2,
    strength: Strength | None = None,
    progress: Progress = lambda _: None,
) -> tuple[ConceptModel, list[Graph]]:
    """The concept model of all samples, and the graphs that models of the other folds find: an honest estimate."""
    power = strength or Strength()
    final = ConceptModel({}, {"candidate": 0.03, "link": 0.5, "listed": 0.5})
    fold_models = [ConceptModel({}, final.thresholds) for _ in range(folds)]
    of_fold = np.array([sample.group % folds for sample in samples])
    roles = _learn_roles(samples, final, fold_models, power.roles)
    progress("roles")
    history: list[Links] = [sample.gold.links for sample in samples]
    for turn in range(rounds):
        _learn_links(samples, roles, history, final, fold_models, power.link)
        history = [fold_models[f].links(s.context, r) for s, r, f in zip(samples, roles, of_fold, strict=True)]
        progress(
            f"links, round {turn}: {_f1(history, [s.gold.links for s in samples])}, threshold {final.thresholds['link']}"
        )
    _learn_settled(samples, roles, history, final, fold_models, power.settled)
    graphs = []
    for sample, role, links, fold in zip(samples, roles, history, of_fold, strict=True):
        model = fold_models[fold]
        graphs.append(Graph(model.listed(sample.context, role, links, model.rows(sample.context)), links))
    progress(
        f"listed: {_f1([g.listed for g in graphs], [s.gold.listed for s in samples])}, threshold {final.thresholds['listed']}"
    )
    return final, graphs


def _learn_roles(
    samples: Sequence[Sample], final: ConceptModel, fold_models: Sequence[ConceptModel], strength: float
) -> list[Roles]:
    """Weights of the three roles; returned are the roles by models of the other folds."""
    design = Design()
    for sample in samples:
        for place, label in enumerate(role_labels(sample)):
            design.add(atom_features(sample.context, place), label, sample.group % len(fold_models))
    matrix, names, labels, groups = design.close()
    held_out = np.zeros(labels.shape)
    for column, role in enumerate(ROLES):
        final.weights[role] = _named(names, _fit(matrix, labels[:, column], strength))
        for fold, model in enumerate(fold_models):
            weights = _fit(matrix[groups != fold], labels[groups != fold, column], strength)
            model.weights[role] = _named(names, weights)
            held_out[groups == fold, column] = matrix[groups == fold] @ weights
    chances = 1 / (1 + np.exp(-held_out))
    ends = np.cumsum([len(sample.context.atoms) for sample in samples])
    return [Roles(*part.T.tolist()) if len(part) else Roles([], [], []) for part in np.split(chances, ends[:-1])]


def _learn_links(
    samples: Sequence[Sample], roles: Sequence[Roles], history: Sequence[Links], final: ConceptModel,
    fold_models: Sequence[ConceptModel], strength: float,
) -> None:  # fmt: skip
    """Weights and threshold of links; `history` are the links that count as decided when a later pair is asked about."""
    design = Design()
    for sample, role, decided in zip(samples, roles, history, strict=True):
        past = Decided()
        for part, whole in candidates(role, final.thresholds["candidate"]):
            features = pair_features(sample.context, role, part, whole, past)
            design.add(features, (part, whole) in sample.gold.links, sample.group % len(fold_models))
            if (part, whole) in decided:
                past.add(part, whole)
    missed = sum(len(s.gold.links) for s in samples) - sum(design.labels)
    _fit_all(design, "link", "link", missed, final, fold_models, strength)


def _learn_settled(
    samples: Sequence[Sample], roles: Sequence[Roles], history: Sequence[Links], final: ConceptModel,
    fold_models: Sequence[ConceptModel], strength: float,
) -> None:  # fmt: skip
    """Weights and threshold of "heads a concept", given links by models of the other folds."""
    design = Design()
    for sample, role, links in zip(samples, roles, history, strict=True):
        near = near_of(links)
        for place in range(len(sample.context.atoms)):
            if is_settled_candidate(role, place):
                features = atom_features(sample.context, place) + settled_features(sample.context, role, place, near)
                design.add(features, place in sample.gold.listed, sample.group % len(fold_models))
    missed = sum(len(s.gold.listed) for s in samples) - sum(design.labels)
    _fit_all(design, "settled", "listed", missed, final, fold_models, strength)


def _fit_all(
    design: Design,
    name: str,
    threshold: str,
    missed: int,
    final: ConceptModel,
    fold_models: Sequence[ConceptModel],
    strength: float,
) -> None:
    matrix, names, labels, groups = design.close()
    values = np.zeros(len(labels))
    for fold, model in enumerate(fold_models):
        weights = _fit(matrix[groups != fold], labels[groups != fold], strength)
        model.weights[name] = _named(names, weights)
        values[groups == fold] = matrix[groups == fold] @ weights
    final.thresholds[threshold] = _best_threshold(values, labels, missed)  # shared with the fold models
    final.weights[name] = _named(names, _fit(matrix, labels, strength))


def _f1(found: Sequence[set[Any]], gold: Sequence[set[Any]]) -> str:
    right = sum(len(f & g) for f, g in zip(found, gold, strict=True))
    total, wanted = sum(map(len, found)), sum(map(len, gold))
    return f"P {right / max(total, 1):.3f} R {right / wanted:.3f} F1 {2 * right / (total + wanted):.3f}"


__all__ = ["Design", "Sample", "Strength", "learn", "logit"]
