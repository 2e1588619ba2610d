"""Scores of predicted concepts against gold ones, as GUIDELINES.md defines them.

python -m kgbuild.language.score PREDICTED.jsonl GOLD.jsonl [--errors]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 of one kind, micro-averaged over the texts; counts in items."""

    right: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        """Share of the predicted items that are in the gold; 0 when nothing was predicted."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold items that were predicted; 0 when the gold is empty."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        total = self.predicted + self.gold
        return 2 * self.right / total if total else 0.0


KINDS = ("head", "pair", "concept")


def items_of(record: Record, kind: str) -> set[Any]:
    """The items of one text: heads, (head, modifier) pairs, or (head, modifiers) concepts; hyphens read as spaces."""
    concepts = [(_plain(c["head"]), frozenset(_plain(m) for m in c["modifiers"])) for c in record["concepts"]]
    if kind == "head":
        return {head for head, _ in concepts}
    if kind == "pair":
        return {(head, modifier) for head, modifiers in concepts for modifier in modifiers}
    return set(concepts)


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("-", " ").split())


def score_gold(predicted: Iterable[Record], gold: Iterable[Record]) -> dict[str, Score]:
    """`head`, `pair` and `concept` scores; a gold text without a prediction counts as predicted empty."""
    by_id = {str(record["id"]): record for record in predicted}
    counts = {kind: [0, 0, 0] for kind in KINDS}
    for record in gold:
        answer = by_id.get(str(record["id"]), {"concepts": []})
        for kind in KINDS:
            right, given = items_of(record, kind), items_of(answer, kind)
            for place, number in enumerate((len(right & given), len(given), len(right))):
                counts[kind][place] += number
    return {kind: Score(*numbers) for kind, numbers in counts.items()}


def errors_of(predicted: Iterable[Record], gold: Iterable[Record], kind: str) -> Iterator[tuple[str, str, Any]]:
    """(text id, "missed" or "added", item) for every difference of one kind."""
    by_id = {str(record["id"]): record for record in predicted}
    for record in gold:
        right = items_of(record, kind)
        given = items_of(by_id.get(str(record["id"]), {"concepts": []}), kind)
        yield from ((str(record["id"]), "missed", item) for item in sorted(right - given, key=repr))
        yield from ((str(record["id"]), "added", item) for item in sorted(given - right, key=repr))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def table_of(scores: Mapping[str, Score]) -> str:
    """The scores as a small table."""
    rows = [
        f"{kind:8s} P {s.precision:.3f}  R {s.recall:.3f}  F1 {s.f1:.3f}  ({s.right} of {s.gold})"
        for kind, s in scores.items()
    ]
    return "\n".join(rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predicted", type=Path)
    parser.add_argument("gold", type=Path)
    parser.add_argument(
        "--errors", choices=KINDS, help="also list the differences of this kind, the most frequent first"
    )
    given = parser.parse_args()
    predicted, gold = read_jsonl(given.predicted), read_jsonl(given.gold)
    lines = [table_of(score_gold(predicted, gold))]
    if given.errors:
        seen = Counter((what, repr(item)) for _, what, item in errors_of(predicted, gold, given.errors))
        lines += [f"{number:4d} {what} {item}" for (what, item), number in seen.most_common()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
