"""Claims -> edges: the surest first, and none that would close a circle, with what dropping and generalising modifiers says too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from kgbuild.hierarchy.names import HEAD_RULES, Claim, Name
from kgbuild.subsumption import modifiers_subsume


class Accepted:
    """The claims taken so far, by the head of their lower end."""

    def __init__(self, roots: Iterable[Name]) -> None:
        self.roots = frozenset(roots)
        self.claims: list[Claim] = []
        self._up: dict[str, list[Claim]] = defaultdict(list)

    def take(self, claims: Iterable[Claim]) -> None:
        """Take claims in the order of their rule, confidence and support; one that says what is said, or the reverse, is left out."""
        ranked = sorted(claims, key=lambda c: (HEAD_RULES.index(c.rule), -c.confidence, -c.support, c.low, c.high))
        for claim in ranked:
            if (
                claim.low not in self.roots
                and not self.above(claim.low, claim.high)
                and not self.above(claim.high, claim.low)
            ):
                self.claims.append(claim)
                self._up[claim.low.head].append(claim)

    def above(self, low: Name, high: Name) -> bool:
        """Whether `high` is `low` or above it."""
        return any(_falls_under(one, high) for one in self.reached(low))

    def reached(self, low: Name) -> Iterator[Name]:
        """`low` and the upper ends of all claims that lead up from it."""
        seen, waiting = {low}, [low]
        while waiting:
            name = waiting.pop()
            yield name
            for claim in self._up.get(name.head, ()):
                if claim.high not in seen and _falls_under(name, claim.low):
                    seen.add(claim.high)
                    waiting.append(claim.high)

    def roots_of(self, low: Name) -> list[Name]:
        """The roots above a name (or itself), in order."""
        return sorted(self.roots.intersection(self.reached(low)))


def _falls_under(low: Name, high: Name) -> bool:
    return low == high or (low.head == high.head and modifiers_subsume(high.modifiers, low.modifiers))
