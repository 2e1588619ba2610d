"""What the surface forms of a release say, with the evidence: the release's own texts, read again by automaton.

A surface form is read as mining read its words: "leather strap watch" is a concept, and "leather strap" within it another. How far a
reading can be trusted is told by texts that did not supply it: the products are dealt into folds, and the surface forms of the other
folds are looked for in each. "Heel", which mining passes over in "wear with heels", agrees at a small share of what was checked; so do
words that mostly begin or end a longer phrase which the other folds do not have, as in any new text.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.language.automaton import Automaton, Ints, fold
from kgbuild.subsumption import subsumes

READINGS: Final = pa.schema(
    [
        pa.field("surface", pa.string(), nullable=False),
        pa.field("first", pa.int32(), nullable=False),
        pa.field("last", pa.int32(), nullable=False),
        pa.field("concept_id", pa.string(), nullable=False),
        pa.field("n_mentions", pa.int64(), nullable=False),
        pa.field("n_agreed", pa.int64(), nullable=False),
        pa.field("n_said", pa.int64(), nullable=False),
        pa.field("n_checked", pa.int64(), nullable=False),
    ]
)
"""One row a reading: of the folded words of `surface`, those from `first` to `last` (inclusive) were mined as the concept `n_mentions`
times (0: it is only the concept's label); of `n_checked` occurrences in products of other folds, mining made just this of them
`n_agreed` times, and at `n_said` the product is mined to be so at all, by this concept or a narrower one ("this dress", of a red dress).
Ordered by surface, first, last; of several concepts for the same words the most frequent, ties by id."""

_FOLDS: Final = 4
_PIECE: Final = 2048  # texts that are scanned as one string


def read_surfaces(mentions: pa.Table, texts: pa.Table, concepts: pa.Table) -> pa.Table:
    """The readings of the surface forms of mentions and of the labels of concepts: a table READINGS.

    Args:
        mentions: table mentions; `text_id`, `start`, `end`, `surface_form`, `concept_id` are read.
        texts: table texts as it was mined; texts of fields `boilerplate:*` and null texts count for nothing.
        concepts: table concepts, with every concept of the mentions; `label`, `concept_id`, `head_noun`, `modifiers` are read.
    """
    mined = pc.and_(pc.is_valid(texts["text"]), pc.invert(pc.starts_with(texts["field"], "boilerplate:")))
    release = _locate(mentions, texts.filter(mined), concepts)
    found = [_keys_of(release, seen) for seen in _occurrences(release, None)]
    keys, n_mentions = np.unique(np.concatenate([release.labels, *found]), return_counts=True)
    n_mentions -= np.isin(keys, release.labels)
    counts = _Counts.zeros(len(keys))
    narrower = _Narrower(concepts, release.concepts)
    for number in range(_FOLDS):
        for seen in _occurrences(release, number):
            _check(release, keys, seen, narrower, counts)
    return _most_frequent(release, keys, n_mentions, counts)


@dataclass(frozen=True)
class _Release:
    """Texts, mentions and labels in numbers. A key is a reading as one number; keys ascend by surface, first, last."""

    surfaces: list[str]
    concepts: pa.Array
    texts: pa.ChunkedArray
    product: Ints  # by text; so is the next
    fold: Ints
    product_concepts: Ints  # (n, 2) distinct (product, concept of a mention), ascending
    labels: Ints  # keys of the readings of labels, ascending
    text: Ints  # by mention, ascending; so are the next four
    start: Ints
    end: Ints
    surface: Ints
    concept: Ints
    width: int  # words of the longest surface

    def keys(self, surface: Ints, first: Ints, last: Ints, concept: Ints) -> Ints:
        return ((surface * self.width + first) * self.width + last) * len(self.concepts) + concept

    def parts(self, keys: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        rest, concept = np.divmod(keys, max(1, len(self.concepts)))
        rest, last = np.divmod(rest, self.width)
        surface, first = np.divmod(rest, self.width)
        return surface, first, last, concept

    def known_outside(self, number: int) -> Ints:
        """The surface forms that are labels or have a mention in another fold."""
        mentioned = self.surface[self.fold[self.text] != number]
        return np.unique(np.concatenate([self.parts(self.labels)[0], mentioned]))


def _locate(mentions: pa.Table, texts: pa.Table, concepts: pa.Table) -> _Release:
    place = pc.index_in(mentions["text_id"], value_set=texts["text_id"].combine_chunks())
    rows = mentions.append_column("text", place)
    rows = rows.filter(pc.and_(pc.is_valid(place), pc.not_equal(rows["surface_form"], ""))).sort_by("text")
    forms, labels = pc.unique(rows["surface_form"]), concepts["label"].to_pylist()
    folded = [" ".join(fold(form)) for form in (*forms.to_pylist(), *labels)]
    surfaces = sorted(set(folded))
    number_of = {surface: number for number, surface in enumerate(surfaces)}
    numbers = np.array([number_of[surface] for surface in folded], np.int64)
    last_word = np.array([surface.count(" ") for surface in surfaces], np.int64)
    ids = pc.unique(pa.chunked_array([*rows["concept_id"].chunks, *concepts["concept_id"].chunks], pa.string()))
    label, width = numbers[len(forms) :], int(last_word.max(initial=0)) + 1
    named = _ints(pc.index_in(concepts["concept_id"], value_set=ids))
    products = pc.dictionary_encode(texts["product_id"].combine_chunks())
    product = _ints(products.indices)
    fold_of = np.array([zlib.crc32(name.encode()) % _FOLDS for name in products.dictionary.to_pylist()], np.int64)
    text, concept = _ints(rows["text"]), _ints(pc.index_in(rows["concept_id"], value_set=ids))
    return _Release(
        surfaces=surfaces,
        concepts=ids,
        texts=texts["text"],
        product=product,
        fold=fold_of[product],
        product_concepts=np.unique(np.stack([product[text], concept], axis=1), axis=0),
        labels=np.unique(((label * width) * width + last_word[label]) * len(ids) + named),
        text=text,
        start=_ints(rows["start"]),
        end=_ints(rows["end"]),
        surface=numbers[_ints(pc.index_in(rows["surface_form"], value_set=forms))],
        concept=concept,
        width=width,
    )


def _ints(values: pa.ChunkedArray | pa.Array) -> Ints:
    return np.asarray(values).astype(np.int64)


@dataclass(frozen=True)
class _Seen:
    """Occurrences of surfaces in some texts, and the mentions of these texts, both by the numbers of their letters."""

    text: Ints  # by occurrence; so are the next three
    surface: Ints
    first: Ints
    last: Ints
    mention: Ints  # numbers of mentions that begin and end with a letter, ascending; the next two go with them
    mention_first: Ints
    mention_last: Ints


def _occurrences(release: _Release, number: int | None) -> Iterator[_Seen]:
    """Where in the texts of a fold the surfaces occur that are known without it; for None all of them in all texts."""
    surfaces = np.arange(len(release.surfaces)) if number is None else release.known_outside(number)
    texts = np.arange(len(release.texts)) if number is None else np.flatnonzero(release.fold == number)
    automaton = Automaton([release.surfaces[surface].split(" ") for surface in surfaces.tolist()])
    for begin in range(0, len(texts), _PIECE):
        piece = texts[begin : begin + _PIECE]
        found = automaton.scan(release.texts.take(pa.array(piece)).to_pylist())
        mention, place = _within(release.text, piece)
        shift = found.text_starts[place]
        first = found.letters_at(release.start[mention] + shift, ends=False)
        last = found.letters_at(release.end[mention] + shift, ends=True)
        whole = (first >= 0) & (last >= 0)
        text = piece[found.texts(found.first)]
        yield _Seen(text, surfaces[found.phrase], found.first, found.last, mention[whole], first[whole], last[whole])


def _within(ascending: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """Where each of `wanted` stands in `ascending`: all places, and for each of them the place of what was wanted."""
    begin = np.searchsorted(ascending, wanted)
    count = np.searchsorted(ascending, wanted, side="right") - begin
    place = np.repeat(np.arange(len(wanted)), count)
    return np.arange(len(place)) + (begin - np.cumsum(count) + count)[place], place


def _keys_of(release: _Release, seen: _Seen) -> Ints:
    """The readings that mentions within an occurrence make."""
    match = np.searchsorted(seen.first, seen.mention_first, side="right") - 1
    inside = match >= 0
    inside[inside] = seen.mention_last[inside] <= seen.last[match[inside]]
    match, begins = match[inside], seen.first[match[inside]]
    first, last = seen.mention_first[inside] - begins, seen.mention_last[inside] - begins
    return release.keys(seen.surface[match], first, last, release.concept[seen.mention[inside]])


@dataclass(frozen=True)
class _Counts:
    """By key: occurrences at which mining made just this, those of products of which it is mined, and all."""

    agreed: Ints
    said: Ints
    checked: Ints

    @classmethod
    def zeros(cls, n: int) -> _Counts:
        return cls(np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64))


class _Narrower:
    """Whether one concept is narrower than another, each pair worked out once."""

    def __init__(self, concepts: pa.Table, ids: pa.Array) -> None:
        rows = concepts.take(pc.index_in(ids, value_set=concepts["concept_id"].combine_chunks()))
        self._parts = list(zip(rows["head_noun"].to_pylist(), rows["modifiers"].to_pylist(), strict=True))
        self._known: dict[int, bool] = {}

    def __call__(self, general: Ints, specific: Ints) -> npt.NDArray[np.bool_]:
        pairs, place = np.unique(general * len(self._parts) + specific, return_inverse=True)
        answers = [self._of(pair) for pair in pairs.tolist()]
        return np.array(answers, bool)[place]

    def _of(self, pair: int) -> bool:
        if pair not in self._known:
            general, specific = divmod(pair, len(self._parts))
            self._known[pair] = subsumes(self._parts[general], self._parts[specific])
        return self._known[pair]


def _check(release: _Release, keys: Ints, seen: _Seen, narrower: _Narrower, counts: _Counts) -> None:
    """Count the readings of each occurrence that mining makes there, and those whose concept it finds of the product."""
    surface, _, _, concept = release.parts(keys)
    reading, match = _within(surface, seen.surface)
    theirs, row = _within(release.product_concepts[:, 0], release.product[seen.text[match]])
    said = np.unique(row[narrower(concept[reading[row]], release.product_concepts[theirs, 1])])
    made = _keys_of(release, seen)
    made = np.searchsorted(keys, made[np.isin(made, keys)])
    counts.agreed[:] += np.bincount(made, minlength=len(keys))
    counts.said[:] += np.bincount(reading[said], minlength=len(keys))
    counts.checked[:] += np.bincount(reading, minlength=len(keys))


def _most_frequent(release: _Release, keys: Ints, n_mentions: Ints, counts: _Counts) -> pa.Table:
    surface, first, last, concept = release.parts(keys)
    columns = {
        "surface": pa.array(release.surfaces, pa.string()).take(pa.array(surface)),
        "first": first,
        "last": last,
        "concept_id": release.concepts.take(pa.array(concept)),
        "n_mentions": n_mentions,
        "n_agreed": counts.agreed,
        "n_said": counts.said,
        "n_checked": counts.checked,
    }
    ascending = [(name, "ascending") for name in ("surface", "first", "last", "concept_id")]
    rows = pa.table(columns).cast(READINGS).sort_by([*ascending[:3], ("n_mentions", "descending"), ascending[3]])
    spans = np.stack([_ints(pc.rank(rows["surface"], tiebreaker="dense")), _ints(rows["first"]), _ints(rows["last"])])
    fresh = np.ones(rows.num_rows, bool)
    fresh[1:] = (spans[:, 1:] != spans[:, :-1]).any(axis=0)
    return rows.filter(pa.array(fresh))
