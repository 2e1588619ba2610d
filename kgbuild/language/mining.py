"""Texts -> mentions, and product records -> maximal concepts as the gold writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from kgbuild.identity import concept_id
from kgbuild.language.decode import Found, without_repeats
from kgbuild.language.phrases import Passage, find_concepts
from kgbuild.language.pipeline import Miner
from kgbuild.tables import TABLES, in_order, reject_rows

_TOGETHER = 4096  # texts; the more, the more sentences of one length are read at once, and the more memory that takes
_LONGEST = 100_000  # characters


def mine_mentions(
    texts: pa.Table, products: pa.Table, *, miner: Miner, batch_size: int = _TOGETHER
) -> tuple[pa.Table, pa.Table]:
    """Every occurrence of a maximal concept in the texts: (mentions, rejects).

    A map over texts: what comes out of one depends only on that text and on its product's brand (at the start of a title it heads
    and modifies nothing). Fields `boilerplate:*` are passed over. A null text, or one too long to read, is a reject. `batch_size` texts are
    read together.
    """
    brands = dict(zip(products["product_id"].to_pylist(), products["brand"].to_pylist(), strict=True))
    usable, rejects = _usable(texts)
    rows: list[dict[str, Any]] = []
    source = iter(usable)
    while zone := list(islice(source, batch_size)):
        passages = [_passage(row, brands.get(row["product_id"]) or "") for row in zone]
        both = find_concepts(passages, miner.nlp, miner.memory)
        for row, found in zip(zone, both, strict=True):
            rows += _mention_rows(row, found)
    table = pa.Table.from_pylist(rows, schema=TABLES["mentions"].schema)
    return in_order(table, "mentions"), reject_rows("mentions", rejects)


def _usable(texts: pa.Table) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]]]:
    usable, rejects = [], []
    for row in texts.select(["text_id", "product_id", "field", "text"]).to_pylist():
        text, field = row["text"], row["field"] or ""
        if field.startswith("boilerplate:"):
            continue
        if text is None:
            rejects.append((str(row["text_id"]), "null_text", f"product {row['product_id']}, field {field}"))
        elif len(text) > _LONGEST:
            rejects.append(
                (str(row["text_id"]), "text_too_long", f"{len(text)} characters, at most {_LONGEST} are read")
            )
        else:
            usable.append(row)
    return usable, rejects


def _passage(row: Mapping[str, Any], brand: str) -> Passage:
    is_title = row["field"] == "title"
    text = row["text"]
    return Passage(text, is_title, len(brand) if is_title and text.lower().startswith(brand.lower()) else 0)


def _mention_rows(row: Mapping[str, Any], found: Iterable[Found]) -> Iterator[dict[str, Any]]:
    seen = set()
    for concept in found:
        name = concept_id(concept.head, concept.modifiers)
        key = (concept.start, concept.end, name)
        if key in seen:
            continue
        seen.add(key)
        yield {
            "text_id": row["text_id"],
            "start": concept.start,
            "end": concept.end,
            "surface_form": row["text"][concept.start : concept.end],
            "concept_id": name,
            "head_noun": concept.head,
            "modifiers": sorted(set(concept.modifiers)),
            "domain": concept.domain,
        }


def extract_concepts(
    records: Iterable[Mapping[str, Any]], *, miner: Miner, batch_size: int = _TOGETHER
) -> Iterator[dict[str, Any]]:
    """The maximal concepts of each product, title before description, in the format of the gold.

    Args:
        records: objects with "id", "title" and "description"; the latter two may be null or absent.
        miner: from `load_miner`.
        batch_size: records read together.

    Yields:
        {"id", "concepts": [{"surface", "head", "modifiers"}]} in the order of the records. A concept that says nothing more
        than an earlier one is left out.
    """
    source = iter(records)
    while zone := list(islice(source, batch_size)):
        passages = []
        for record in zone:
            title, description = record.get("title") or "", record.get("description") or ""
            passages.append(Passage(title[:_LONGEST], is_title=True))
            passages.append(Passage(description[:_LONGEST], is_title=False))
        found = iter(find_concepts(passages, miner.nlp, miner.memory))
        for place, record in enumerate(zone):
            surfaces: dict[int, str] = {}
            both: list[Found] = []
            for passage in passages[2 * place : 2 * place + 2]:
                concepts = next(found)
                both += concepts
                surfaces |= {id(c): passage.text[c.start : c.end] for c in concepts}
            yield {
                "id": record["id"],
                "concepts": [
                    {"surface": surfaces[id(c)], "head": c.head, "modifiers": list(c.modifiers)}
                    for c in without_repeats(both)
                ],
            }
