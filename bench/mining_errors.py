"""What is wrong with mined concepts, by kind: pairs of head and modifier that were missed or added.

    python -m bench.mining_errors PREDICTED.jsonl GOLD.jsonl [--list KIND]

Each pair is of the first kind that holds: `not in the text` (a word of it is not there as such), `head` (no concept of that head is on
the other side), `unit cut otherwise` (that head has a unit with a word of it), `on another head`, `title word` (in the title alone), `one
word`, `several words`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from kgbuild.language.canonical import singular
from kgbuild.language.lexicon import words_of
from kgbuild.language.score import Record, errors_of, items_of, read_jsonl

KINDS = ("not in the text", "head", "unit cut otherwise", "on another head", "title word", "one word", "several words")
Pair = tuple[str, str]


def kinds_of(predicted: Sequence[Record], gold: Sequence[Record]) -> Iterator[tuple[str, str, str, Pair]]:
    """(kind, "missed" or "added", text id, pair) of every difference."""
    predictions = {str(record["id"]): record for record in predicted}
    records = {str(record["id"]): record for record in gold}
    for name, what, pair in errors_of(predicted, gold, "pair"):
        record, answer = records[name], predictions.get(name, {"concepts": []})
        other = answer if what == "missed" else record
        yield _kind(pair, other, record), what, name, pair


def _kind(pair: Pair, other: Record, text: Record) -> str:
    head, unit = pair
    words = set(unit.split())
    title, description = (_words(text[field] or "") for field in ("title", "description"))
    if not {*words, head.split()[-1]} <= title | description:
        return "not in the text"
    if head not in items_of(other, "head"):
        return "head"
    pairs = items_of(other, "pair")
    if any(word in of.split() for to, of in pairs if to == head for word in words):
        return "unit cut otherwise"
    if any(of == unit for _, of in pairs):
        return "on another head"
    if words <= title - description:
        return "title word"
    return "one word" if len(words) == 1 else "several words"


def _words(text: str) -> set[str]:
    words = [part for word in words_of(text) for part in word.replace("-", " ").split()]
    return {form for word in words for form in (word, singular(word))}


def main() -> None:
    """Print the table, or the pairs of a kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predicted", type=Path)
    parser.add_argument("gold", type=Path)
    parser.add_argument("--list", choices=KINDS)
    given = parser.parse_args()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    lines = []
    for kind, what, name, (head, unit) in kinds_of(read_jsonl(given.predicted), read_jsonl(given.gold)):
        counts[kind][what] += 1
        if kind == given.list:
            lines.append(f"{name} {what} {head} | {unit}")
    if not given.list:
        lines = ["| kind | missed | added |", "|---|---|---|"]
        lines += [f"| {kind} | {counts[kind]['missed']} | {counts[kind]['added']} |" for kind in KINDS]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
