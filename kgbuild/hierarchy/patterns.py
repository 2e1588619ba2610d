"""What texts say outright: "X such as Y", "Y and other X", "Y is a kind of X" (Hearst 1992).

A phrase counts where it is all that stands between two mentions that follow one another, so the things it connects are whole noun
phrases, as mining found them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.hierarchy.said import Said

_ARTICLE = r"(?:\s+(?:a|an|the|our|its|these|your))?"
BROADER_FIRST: Final = re.compile(rf"^,?\s*(?:such as|including|especially){_ARTICLE}\s*$")
NARROWER_FIRST: Final = re.compile(
    rf"^,?\s*(?:(?:and|or)\s+(?:any\s+|all\s+|many\s+)?other|(?:is|are)\s+(?:a|an|one of the)"
    rf"(?:\s+(?:kind|type|sort|form)s?\s+of)?|(?:is|are)\s+(?:kind|type|sort|form)s?\s+of){_ARTICLE}\s*$"
)
_ANY = r"(?i)such as|including|especially| other | (?:is|are) (?:a|an|one of) |(?:kind|type|sort|form)s? of"
_LONGEST_GAP = 40  # characters: the longest phrase of those above


def stated(said: Said, texts: pa.Table) -> dict[tuple[int, int], int]:
    """(narrower head, broader head) -> in the texts of how many products it is stated. Heads are numbers of `said`."""
    telling = pc.match_substring_regex(texts["text"], _ANY).to_numpy()
    first = np.flatnonzero((said.outer < 0) & telling[said.text])
    follows = (said.text[first[1:]] == said.text[first[:-1]]) & (
        said.start[first[1:]] - said.end[first[:-1]] < _LONGEST_GAP
    )
    pairs = np.stack([first[:-1][follows], first[1:][follows]], axis=1).tolist() if len(first) else []
    products: dict[tuple[int, int], set[int]] = defaultdict(set)
    written = dict(
        zip(
            wanted := sorted({int(said.text[one]) for one, _ in pairs}),
            texts["text"].take(pa.array(wanted, pa.int64())).to_pylist(),
            strict=True,
        )
    )
    for one, other in pairs:
        between = written[int(said.text[one])][said.end[one] : said.start[other]].lower()
        low, high = int(said.head[one]), int(said.head[other])
        if BROADER_FIRST.match(between):
            low, high = high, low
        elif not NARROWER_FIRST.match(between):
            continue
        if low != high:
            products[low, high].add(int(said.product[one]))
    return {pair: len(found) for pair, found in products.items()}
