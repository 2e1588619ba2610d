"""Known concepts in new texts, without parsing them: the surface forms of a release, read as the release reads them.

    readings = read_surfaces(finest_known(mentions, concepts), texts, concepts)
    links = Linker(readings).link(texts)

What is linked is what the catalogue has shown: a phrase it lacks is linked by the known phrases in it ("embroidered blue shirt" as "blue
shirt"), a concept it lacks not at all.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.language.automaton import Automaton, Ints
from kgbuild.language.readings import READINGS, read_surfaces
from kgbuild.tables import TABLES

__all__ = ["LINKS", "MIN_SHARE", "READINGS", "Linker", "finest_known", "read_surfaces"]

MIN_SHARE: Final = 0.5
"""Readings with a smaller share are not linked. Measured in bench/RESULTS.md."""

LINKS: Final = pa.schema(
    [TABLES["mentions"].schema.field(name) for name in ("text_id", "start", "end", "surface_form", "concept_id")]
)
"""The columns of table mentions that say where a concept is named."""

_PIECE: Final = 1024  # texts that are scanned as one string; more do not stay in the processor's cache


def share(readings: pa.Table, *, exact: bool) -> npt.NDArray[np.float64]:
    """How often a reading is right, 0-1: the product is so; with `exact`, mining makes just this of just these words.

    Half an occurrence is added for it and half against it, so the share is 0.5 where none was checked.
    """
    right = readings["n_agreed" if exact else "n_said"].to_numpy()
    return (right + 0.5) / (readings["n_checked"].to_numpy() + 1)


class Linker:
    """Finds the concepts of a release in texts."""

    def __init__(self, readings: pa.Table, *, min_share: float = MIN_SHARE, exact: bool = False) -> None:
        """Make it of what `read_surfaces` gives.

        A surface all of whose readings fall short still stands where it stands: no shorter surface is linked within it.

        Args:
            readings: table READINGS.
            min_share: readings with a smaller `share` are not linked.
            exact: whether only what mining makes of just these words is right, not what is true of the product; as `share`.
        """
        surfaces = pc.unique(readings["surface"])
        number = pc.index_in(readings["surface"], value_set=surfaces).to_numpy()
        usable = share(readings, exact=exact) >= min_share
        kept = readings.filter(pa.array(usable))
        self._automaton = Automaton([surface.split(" ") for surface in surfaces.to_pylist()])
        self._count = np.bincount(number[usable], minlength=len(surfaces)).astype(np.int64)
        self._begin: Ints = np.cumsum(self._count) - self._count
        self._first = kept["first"].to_numpy().astype(np.int64)
        self._last = kept["last"].to_numpy().astype(np.int64)
        self._concept = kept["concept_id"].combine_chunks()

    def link(self, texts: pa.Table) -> pa.Table:
        """The concepts that texts name: a table LINKS in the order of the texts, then by start and end.

        Args:
            texts: `text_id` and `text`; a null text names none.
        """
        pieces = [self._link(texts.slice(at, _PIECE)) for at in range(0, texts.num_rows, _PIECE)]
        return pa.concat_tables([LINKS.empty_table(), *pieces])

    def _link(self, texts: pa.Table) -> pa.Table:
        found = self._automaton.scan(texts["text"].fill_null("").to_pylist())
        count = self._count[found.phrase]
        match = np.repeat(np.arange(len(count)), count)
        reading = np.arange(len(match)) + (self._begin[found.phrase] - np.cumsum(count) + count)[match]
        starts = found.starts(found.first[match] + self._first[reading])
        ends = found.ends(found.first[match] + self._last[reading])
        whole = (starts >= 0) & (ends >= 0)
        starts, ends, reading = starts[whole], ends[whole], reading[whole]
        text = np.searchsorted(found.text_starts, starts, side="right") - 1
        joined = found.joined
        columns = [
            texts["text_id"].combine_chunks().take(pa.array(text)),
            pa.array(starts - found.text_starts[text], pa.int32()),
            pa.array(ends - found.text_starts[text], pa.int32()),
            pa.array([joined[s:e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)], pa.string()),
            self._concept.take(pa.array(reading)),
        ]
        return pa.Table.from_arrays(columns, schema=LINKS)


def finest_known(mentions: pa.Table, concepts: pa.Table) -> pa.Table:
    """Mentions under concepts that are in the table concepts.

    Where the maximal concept has too little support to be there, the one with the most of its modifiers (then the most products,
    then by id). Mentions of unknown heads are left out.
    """
    columns = [concepts[name].to_pylist() for name in ("concept_id", "head_noun", "modifiers", "n_products")]
    known = {(head, frozenset(units)): (-n, name) for name, head, units, n in zip(*columns, strict=True)}
    most = max((len(units) for _, units in known), default=0)
    first = mentions.append_column("row", pa.array(np.arange(mentions.num_rows))).group_by("concept_id")
    distinct = mentions.take(first.aggregate([("row", "min")])["row_min"])
    finest = {}
    for name, head, units in zip(
        *(distinct[c].to_pylist() for c in ("concept_id", "head_noun", "modifiers")), strict=True
    ):
        for size in range(min(most, len(units)), -1, -1):
            found = [known[key] for some in combinations(units, size) if (key := (head, frozenset(some))) in known]
            if found:
                finest[name] = min(found)[1]
                break
    names = pa.array(list(finest), pa.string())
    place = pc.index_in(mentions["concept_id"], value_set=names)
    at = mentions.schema.get_field_index("concept_id")
    renamed = pa.array(list(finest.values()), pa.string()).take(place.combine_chunks())
    return mentions.set_column(at, mentions.schema.field(at).name, renamed).filter(pc.is_valid(place))
