"""How heads are used, as a sparse matrix: the words around their mentions, what they modify, what encloses them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.hierarchy.said import Ints, Said

SAMPLE: Final = 200
"""Mentions a head that are looked at: the first by the ids of their texts, which is as good as by lot."""
_MIN_HEADS = 3  # a feature that fewer heads have says nothing about others
_MAX_FEATURES = 6_000
_WORD = re.compile(r"[^\W_]+|[^\w\s]")

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Usage:
    """Row i, columns[starts[i]:starts[i + 1]], holds the weights of head i: log of counts times rarity, of length 1."""

    starts: Ints
    columns: Ints
    weights: Floats
    width: int

    def dense(self, rows: Sequence[int]) -> Floats:
        """Some rows as a dense matrix."""
        matrix = np.zeros((len(rows), self.width), np.float32)
        for place, row in enumerate(rows):
            part = slice(self.starts[row], self.starts[row + 1])
            matrix[place, self.columns[part]] = self.weights[part]
        return matrix


def count_usage(said: Said, texts: pa.Table, heads: Sequence[int]) -> Usage:
    """The usage of some heads (numbers of `said`), a row for each in the order given."""
    wanted = np.zeros(len(said.heads), bool)
    wanted[list(heads)] = True
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    rows = np.flatnonzero(wanted[said.head])
    rows = rows[_place_in_group(said.head[rows]) < SAMPLE]
    for head, feature in _around(said, texts, rows):
        counts[head][feature] += 1
    for head, feature in _as_modifier(said, wanted):
        counts[head][feature] += 1
    return _weighted([counts[head] for head in heads])


def _place_in_group(groups: Ints) -> Ints:
    """For each row, how many earlier rows are of the same group."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(groups) else order
    place = np.empty(len(groups), np.int64)
    place[order] = np.arange(len(groups)) - np.repeat(first, np.diff(np.append(first, len(groups))))
    return place


def _around(said: Said, texts: pa.Table, rows: Ints) -> Iterator[tuple[int, str]]:
    named = said.first_names
    numbers, place = np.unique(said.text[rows], return_inverse=True)
    taken = texts.select(["text", "field"]).take(pa.array(numbers))
    written, fields = taken["text"].to_pylist(), taken["field"].to_pylist()
    for row, at in zip(rows.tolist(), place.tolist(), strict=True):
        head, text, start, end = int(said.head[row]), written[at], int(said.start[row]), int(said.end[row])
        before = _WORD.findall(text[max(0, start - 24) : start].lower())[-2:]
        after = _WORD.findall(text[end : end + 16].lower())[:1]
        last = before[-1] if before else "^"
        yield head, f"before:{last}"
        yield head, f"two before:{' '.join(before)}"
        yield head, f"after:{after[0] if after else '$'}"
        yield head, f"field:{fields[at]}"
        if named[row]:
            yield head, f"names:{fields[at]}"
        around = int(said.outer[row])
        yield head, "outermost" if around < 0 else "inside"
        if around >= 0:
            yield head, f"inside:{said.heads[int(said.head[around])]}"
        for unit in said.modifiers[row].as_py():
            yield head, f"has:{unit.split()[-1]}"


def _as_modifier(said: Said, wanted: npt.NDArray[np.bool_]) -> Iterator[tuple[int, str]]:
    """Each modifier unit that is, or ends in, one of the heads: what it modifies (at most SAMPLE for each)."""
    known = {said.heads[head]: int(head) for head in np.flatnonzero(wanted)}
    units = pc.list_flatten(said.modifiers).dictionary_encode()
    parents = pc.list_parent_indices(said.modifiers).to_numpy()
    ends = [unit.rpartition(" ")[2] for unit in units.dictionary.to_pylist()]
    whole = np.array([known.get(unit, -1) for unit in units.dictionary.to_pylist()], np.int64)
    last = np.array([known.get(end, -1) for end in ends], np.int64)
    target = last[units.indices.to_numpy()] if len(ends) else np.zeros(0, np.int64)
    rows = np.flatnonzero(target >= 0)
    rows = rows[_place_in_group(target[rows]) < SAMPLE]
    numbers = units.indices.to_numpy()
    for row in rows.tolist():
        head = int(target[row])
        alone = whole[numbers[row]] == head
        yield head, "bare modifier" if alone else "end of a modifier"
        if alone:
            yield head, f"modifies:{said.heads[int(said.head[parents[row]])]}"


def _weighted(counts: Sequence[Counter[str]]) -> Usage:
    held = Counter(feature for one in counts for feature in one)
    kept = sorted((feature for feature, n in held.items() if n >= _MIN_HEADS), key=lambda one: (-held[one], one))
    number = {feature: place for place, feature in enumerate(kept[:_MAX_FEATURES])}
    starts, columns, weights = [0], [], []
    for one in counts:
        pairs = sorted((number[feature], n, feature) for feature, n in one.items() if feature in number)
        row = np.array([np.log1p(n) * np.sqrt(np.log((len(counts) + 1) / held[feature])) for _, n, feature in pairs])
        length = float(np.sqrt((row * row).sum())) or 1.0
        columns += [column for column, _, _ in pairs]
        weights += (row / length).tolist()
        starts.append(len(columns))
    return Usage(np.array(starts), np.array(columns, np.int64), np.array(weights, np.float32), len(number))
