"""The concept model: four linear classifiers over string features, decided link by link.

`listed`: the atom heads a concept. `whole`: it is listed or has modifiers. `part`: it ends a modifier unit or stands in
one. `link`: one atom modifies another. Weights are plain numbers by feature, so a decision can be read.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kgbuild.language.align import Graph
from kgbuild.language.features import Context, Roles, atom_features, pair_features

BEFORE, AFTER = 12, 45  # how far, in atoms, a modifier may stand before and after what it modifies

Weights = Mapping[str, float]


@dataclass
class ConceptModel:
    """Weights of the four classifiers and the thresholds they are read at."""

    weights: dict[str, dict[str, float]] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=lambda: {"listed": 0.5, "link": 0.5, "candidate": 0.05})

    def roles(self, context: Context) -> Roles:
        """Probabilities of the three roles of every atom."""
        rows = [atom_features(context, place) for place in range(len(context.atoms))]
        return Roles(*([probability(self.weights[role], row) for row in rows] for role in ("listed", "whole", "part")))

    def graph(self, context: Context) -> Graph:
        """The concepts of a text as a graph."""
        roles = self.roles(context)
        floor = self.thresholds["candidate"]
        linked: set[tuple[int, int]] = set()
        weights, threshold = self.weights["link"], logit(self.thresholds["link"])
        for part, whole in candidates(context, roles, floor):
            features = pair_features(context, roles, part, whole, linked)
            if sum(weights.get(f, 0.0) for f in features) > threshold:
                linked.add((part, whole))
        listed = {place for place, p in enumerate(roles.listed) if p > self.thresholds["listed"]}
        return Graph(listed, linked)

    def save(self, path: Path) -> None:
        """Write as gzipped JSON; the same weights give the same bytes."""
        body = json.dumps(
            {"weights": self.weights, "thresholds": self.thresholds},
            sort_keys=True,
            ensure_ascii=False,
            separators=(",", ":"),
        )
        path.write_bytes(gzip.compress(body.encode(), mtime=0))

    @classmethod
    def load(cls, path: Path) -> ConceptModel:
        """Read what `save` wrote."""
        return cls(**json.loads(gzip.decompress(path.read_bytes())))


def logit(p: float) -> float:
    """Log odds of a probability strictly between 0 and 1."""
    return math.log(p / (1 - p))


def probability(weights: Weights, features: Iterable[str]) -> float:
    """Logistic of the summed weights; unknown features weigh nothing."""
    total = sum(weights.get(f, 0.0) for f in features)
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def candidates(context: Context, roles: Roles, floor: float) -> Iterator[tuple[int, int]]:
    """Pairs worth asking about, in the order in which links are decided.

    First modifiers before what they modify, from the right, nearest first; then those after it, from the left, nearest first.
    """
    parts = [place for place, p in enumerate(roles.part) if p > floor]
    wholes = [place for place, p in enumerate(roles.whole) if p > floor]
    for part in reversed(parts):
        for whole in wholes:
            if part < whole <= part + BEFORE:
                yield part, whole
    for part in parts:
        for whole in reversed(wholes):
            if part - AFTER <= whole < part:
                yield part, whole
