"""Annotated texts to learn from: gold files, which give each concept's surface, and the project's own labels, which give none.

`data/annotations.txt` holds for each text of a catalogue that is not in this repository a line `# PRODUCT FIRST_WORD N_WORDS`, then the
concepts of the title, a line `--`, and the concepts of those words of the description, each `head | modifier, modifier`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgbuild.errors import CatalogueError

Concept = tuple[str, list[str]]


@dataclass(frozen=True)
class Annotated:
    """A text and its concepts in text order; `surfaces` are given or not, for all of them."""

    product: str
    text: str
    is_title: bool
    concepts: list[Concept]
    surfaces: list[str] | None = None


def gold_texts(records: Iterable[Mapping[str, Any]]) -> Iterator[Annotated]:
    """Title and description of each record of a gold file; a concept belongs to the title if its surface stands there."""
    for record in records:
        title, description = record["title"] or "", record["description"] or ""
        for text, is_title in ((title, True), (description, False)):
            own = [c for c in record["concepts"] if (c["surface"] in title) == is_title]
            named = [(c["head"], list(c["modifiers"])) for c in own]
            yield Annotated(record["id"], text, is_title, named, [c["surface"] for c in own])


def labelled_texts(path: Path, products: Mapping[str, tuple[str, str]]) -> Iterator[Annotated]:
    """The labels of `path` on the texts of a catalogue, `products`: id -> (title, description).

    Raises:
        CatalogueError: a labelled product is not in the catalogue.
    """
    for block in path.read_text("utf-8").split("\n\n"):
        heading, *lines = block.strip().split("\n")
        product, first, count = heading.removeprefix("# ").split()
        if product not in products:
            raise CatalogueError(
                f"{path} labels product {product}, which the catalogue lacks", "give the catalogue that was labelled"
            )
        title, description = products[product]
        words = plain_words(description)[int(first) : int(first) + int(count)]
        middle = lines.index("--")
        yield Annotated(product, title, True, [_concept(line) for line in lines[:middle]])
        yield Annotated(product, " ".join(words), False, [_concept(line) for line in lines[middle + 1 :]])


def plain_words(text: str) -> list[str]:
    """The words of a description between white space, without tags."""
    return re.sub(r"<[^>]+>", " ", " ".join(text.split())).split()


def _concept(line: str) -> Concept:
    head, _, modifiers = line.partition("|")
    return head.strip(), [unit.strip() for unit in modifiers.split(",") if unit.strip()]
