"""The concept model: four linear classifiers over string features, decided link by link.

`listed`: the atom heads a concept. `whole`: it is listed or has modifiers. `part`: it ends a modifier unit or stands in
one. `link`: one atom modifies another. Weights are plain numbers by feature, so a decision can be read.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from kgbuild.language.align import Graph
from kgbuild.language.features import Context, Decided, Roles, atom_features, near_of, pair_features, settled_features

BEFORE, AFTER = 12, 45  # how far, in atoms, a modifier may stand before and after what it modifies

AFTER_FLOOR = 0.12

ROLES = ("listed", "whole", "part")

Links = set[tuple[int, int]]


@dataclass
class ConceptModel:
    """Weights of the four classifiers and the thresholds they are read at."""

    weights: dict[str, dict[str, float]] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=lambda: {"listed": 0.5, "link": 0.5, "candidate": 0.03})
    _roles: dict[str, tuple[float, float, float]] | None = field(default=None, repr=False, compare=False)

    def graph(self, context: Context) -> Graph:
        """The concepts of a text as a graph."""
        rows = self.rows(context)
        roles = self.roles(context, rows)
        links = self.links(context, roles)
        return Graph(self.listed(context, roles, links, rows), links)

    def rows(self, context: Context) -> list[list[str]]:
        """The features of every atom."""
        return [atom_features(context, place) for place in range(len(context.atoms))]

    def roles(self, context: Context, rows: list[list[str]]) -> Roles:
        """Probabilities of the three roles of every atom."""
        merged = self._merged_roles()
        roles = Roles([], [], [])
        for place, row in enumerate(rows):
            listed = whole = part = 0.0
            for name in row:
                if (found := merged.get(name)) is not None:
                    listed, whole, part = listed + found[0], whole + found[1], part + found[2]
            sign = not any(letter.isalnum() for letter in context.atoms.word[place])
            for into, total in ((roles.listed, listed), (roles.whole, whole), (roles.part, part)):
                into.append(0.0 if sign else chance(total))
        return roles

    def _merged_roles(self) -> dict[str, tuple[float, float, float]]:
        """The weights of the three roles side by side: one look-up a feature."""
        if self._roles is None:
            names = set().union(*(self.weights[role] for role in ROLES))
            listed, whole, part = (self.weights[role] for role in ROLES)
            self._roles = {n: (listed.get(n, 0.0), whole.get(n, 0.0), part.get(n, 0.0)) for n in names}
        return self._roles

    def links(self, context: Context, roles: Roles) -> Links:
        """Which atom modifies which, decided pair by pair."""
        linked = Decided()
        weights, threshold = self.weights["link"], logit(self.thresholds["link"])
        for part, whole in candidates(roles, self.thresholds["candidate"]):
            features = pair_features(context, roles, part, whole, linked)
            if sum(map(weights.get, features, repeat(0.0))) > threshold:
                linked.add(part, whole)
        return prune(linked.pairs)

    def listed(self, context: Context, roles: Roles, links: Links, rows: list[list[str]]) -> set[int]:
        """Which atoms head a concept, now that the links are known."""
        weights, threshold, near = self.weights["settled"], logit(self.thresholds["listed"]), near_of(links)
        found = set()
        for place, row in enumerate(rows):
            if not is_settled_candidate(roles, place):
                continue
            features = row + settled_features(context, roles, place, near)
            total = sum(map(weights.get, features, repeat(0.0)))
            if total > threshold:
                found.add(place)
        return found

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


def chance(total: float) -> float:
    """The logistic function."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def is_settled_candidate(roles: Roles, place: int) -> bool:
    """Whether the atom is likely enough to head a concept to be asked about once the links are known."""
    return roles.listed[place] >= 0.01 or roles.whole[place] >= 0.03


def prune(links: Links) -> Links:
    """Without what a unit already says: in "short sleeve t-shirt", "short" does not also modify the t-shirt."""
    return {
        (part, whole)
        for part, whole in links
        if not any(
            part < other < whole and (part, other) in links and (other, whole) in links
            for other in range(part + 1, whole)
        )
    }


def candidates(roles: Roles, floor: float) -> Iterator[tuple[int, int]]:
    """Pairs worth asking about, in the order in which links are decided.

    First modifiers before what they modify, from the right, nearest first; then those after it, from the left, nearest first.
    """
    parts = [place for place, p in enumerate(roles.part) if p > floor]  # signs get no role: see ConceptModel.roles
    wholes = [place for place, p in enumerate(roles.whole) if p > floor]
    for part in reversed(parts):
        for whole in wholes:
            if part < whole <= part + BEFORE:
                yield part, whole
    # Most pairs look back and few of those hold: asking only where the roles are likely is a fifth faster and costs .002 pair F1.
    parts = [place for place in parts if roles.part[place] > AFTER_FLOOR]
    wholes = [place for place in wholes if roles.whole[place] > AFTER_FLOOR]
    for part in parts:
        for whole in reversed(wholes):
            if part - AFTER <= whole < part:
                yield part, whole
