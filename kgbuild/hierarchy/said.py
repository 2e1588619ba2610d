"""Mentions as columns of integers, with how they lie in their texts: which encloses which, which comes first, which names the product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.domains import DOMAINS
from kgbuild.errors import TableError

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TITLE: Final = "title"
AROUND: Final = 30
_BLOCK = 8_192  # mentions whose texts are held at a time


@dataclass(frozen=True)
class Said:
    """Mention i stands in text `text[i]` of product `product[i]`, from `start[i]` to `end[i]`, and has head `head[i]`.

    `domain[i]` is the place in `kgbuild.domains.DOMAINS` of what the head names there. Ordered by text, start, and the
    longest first. `outer` is the row of the last mention of another span around it, or -1; `title` says that the text is a title. Numbers
    of texts are rows of the table of texts; heads and products ascend with their names.
    """

    heads: list[str]
    products: list[str]
    head: Ints
    product: Ints
    text: Ints
    start: Ints
    end: Ints
    title: Bools
    outer: Ints
    domain: Ints
    modifiers: pa.ListArray

    @classmethod
    def of(cls, mentions: pa.Table, texts: pa.Table) -> Said:
        """Read tables mentions and texts; raises TableError where a mention's text is not there."""
        text = pc.index_in(mentions["text_id"], value_set=texts["text_id"].combine_chunks())
        if text.null_count:
            orphan = mentions["text_id"].filter(pc.is_null(text))[0]
            raise TableError(f"{text.null_count} mentions lie in texts that are not there, for example {orphan}")
        place, start, end = (_ints(column) for column in (text, mentions["start"], mentions["end"]))
        domain = _ints(pc.index_in(mentions["domain"], value_set=pa.array(DOMAINS)))
        concept, text_id = (_ints(_ranks(mentions[column])[1]) for column in ("concept_id", "text_id"))
        order = np.lexsort((domain, concept, -end, start, text_id))
        place, start, end = place[order], start[order], end[order]
        rows = pa.array(order)
        heads, head = _ranks(mentions["head_noun"].take(rows))
        products, product = _ranks(texts["product_id"].take(pa.array(place)))
        title = pc.equal(texts["field"], TITLE).take(pa.array(place)).to_numpy(zero_copy_only=False)
        modifiers = mentions["modifiers"].take(rows).combine_chunks()
        outer = np.array(_enclosing(place.tolist(), start.tolist(), end.tolist()), np.int64)
        return cls(
            heads, products, _ints(head), _ints(product), place, start, end, title, outer, domain[order], modifiers
        )

    def products_a_head(self) -> Ints:
        """How many products say each head."""
        return np.bincount(self.pairs(np.ones(len(self.head), bool))[0], minlength=len(self.heads))

    def readings(self, heads: Sequence[int], some: Bools) -> Ints:
        """(heads, kinds) how many of some mentions of each head are read as each kind."""
        keys = np.bincount((self.head * len(DOMAINS) + self.domain)[some], minlength=len(self.heads) * len(DOMAINS))
        return keys.reshape(-1, len(DOMAINS))[list(heads)]

    def not_repeated(self, texts: pa.Table) -> Bools:
        """Which mentions are the first of their head in these words, from `AROUND` letters before them to as many after them.

        A shop says one sentence of many products; what is read in it is read once, however often it stands there.
        """
        words = np.empty(len(self.head), np.uint64)
        for first in range(0, len(words), _BLOCK):
            rows = slice(first, first + _BLOCK)
            numbers, place = np.unique(self.text[rows], return_inverse=True)
            near = texts["text"].slice(numbers[0], numbers[-1] - numbers[0] + 1)  # texts are in the order of mentions
            written = near.take(pa.array(numbers - numbers[0])).to_pylist()
            columns = (self.head[rows], place, self.start[rows], self.end[rows])
            places = zip(*(column.tolist() for column in columns), strict=True)
            words[rows] = [_hashed(self.heads[head], written[at], start, end) for head, at, start, end in places]
        first_of_each = np.unique(words, return_index=True)[1]
        chosen = np.zeros(len(words), bool)
        chosen[first_of_each] = True
        return chosen

    def pairs(self, some: Bools) -> tuple[Ints, Ints]:
        """The distinct (head, product) of some mentions."""
        keys = np.unique(self.head[some] * len(self.products) + self.product[some])
        head, product = np.divmod(keys, max(len(self.products), 1))
        return head, product

    @cached_property
    def first_names(self) -> Bools:
        """Which mentions name their product: of a title the one that is most often a title's only one, of other texts the first.

        Only mentions inside of no other count; ties go to what stands first.
        """
        outermost = self.outer < 0
        of_title = np.flatnonzero(outermost & self.title)
        alone = of_title[np.bincount(self.text[of_title])[self.text[of_title]] == 1] if len(of_title) else of_title
        alone_times = np.bincount(self.head[alone], minlength=len(self.heads))
        best = of_title[np.lexsort((of_title, -alone_times[self.head[of_title]], self.text[of_title]))]
        others = np.flatnonzero(outermost & ~self.title)
        chosen = np.zeros(len(self.head), bool)
        for rows in (best, others):
            chosen[rows[_first_of_runs(self.text[rows])]] = True
        return chosen


def _hashed(head: str, text: str, start: int, end: int) -> int:
    """Eight bytes for a head and the words around its mention, with the mention marked."""
    words = "\0".join((head, text[max(0, start - AROUND) : start], text[start:end], text[end : end + AROUND]))
    return int.from_bytes(blake2b(words.lower().encode(errors="surrogatepass"), digest_size=8).digest(), "little")


def _first_of_runs(values: Ints) -> Bools:
    return np.concatenate([[True], values[1:] != values[:-1]]) if len(values) else np.zeros(0, bool)


def _enclosing(text: Sequence[int], start: Sequence[int], end: Sequence[int]) -> list[int]:
    """For mentions in order, the row of the last longer mention around each, or -1."""
    outer = []
    around: list[int] = []
    for row, (where, left, right) in enumerate(zip(text, start, end, strict=True)):
        while around and (
            text[around[-1]] != where or end[around[-1]] < right or _same(around[-1], left, right, start, end)
        ):
            around.pop()
        outer.append(around[-1] if around else -1)
        around.append(row)
    return outer


def _same(row: int, left: int, right: int, start: Sequence[int], end: Sequence[int]) -> bool:
    return start[row] == left and end[row] == right


def _ranks(column: pa.ChunkedArray) -> tuple[list[str], pa.Array]:
    """The distinct values in order, and the place of each row's value among them."""
    values = pc.unique(column)
    values = values.take(pc.sort_indices(values))
    return values.to_pylist(), pc.index_in(column, value_set=values)


def _ints(column: pa.Array | pa.ChunkedArray) -> Ints:
    numbers: Ints = (
        column.to_numpy().astype(np.int64) if isinstance(column, pa.ChunkedArray) else np.asarray(column, np.int64)
    )
    return numbers
