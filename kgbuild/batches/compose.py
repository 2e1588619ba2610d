"""products, texts, pictures, concepts -> batch_plan: which text meets which picture in which batch, with which concepts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from kgbuild.tables import TABLES, in_order

BOILERPLATE = "boilerplate:"


def compose_batches(
    texts: pa.Table,
    images: pa.Table,
    product_concepts: pa.Table,
    hierarchy_closure: pa.Table,
    concepts: pa.Table,
    *,
    batch_size: int,
    concepts_per_text: int,
    seed: int,
) -> pa.Table:
    """The batch plan: every product with a text and a picture once, a picture at most once a batch.

    Which text and which picture of a product, and the order of the products, are drawn by hashes of the seed and the ids: they depend
    neither on the order of the rows nor on the other products. Sections set apart (`boilerplate:`) are no texts to learn from.

    A row's concepts are the most specific ones of its product, finest first: most modifiers, most mentions, fewest products.
    Where there are fewer than `concepts_per_text`, their hypernyms follow, then theirs.

    Args:
        texts: text_id, product_id, field.
        images: image_id, product_id, sha256.
        product_concepts: product_id, concept_id, n_mentions.
        hierarchy_closure: hyponym_id, hypernym_id, depth (from 1).
        concepts: concept_id, modifiers, n_products.
        batch_size: pairs a batch; the last batches may have fewer.
        concepts_per_text: concepts a row at most.
        seed: of every draw.

    Returns:
        The `batch_plan` table. Its schema metadata tells `pairs`, `products_without_text` and `products_without_image`.
    """
    text_of = _drawn(zip(*_columns(texts, "product_id", "text_id", "field"), strict=True), seed)
    image_rows = list(zip(*_columns(images, "product_id", "image_id", "sha256"), strict=True))
    image_of = _drawn(((product, image, "") for product, image, _ in image_rows), seed)
    picture_of = {image: sha256 for _, image, sha256 in image_rows}
    pairable = sorted(text_of.keys() & image_of.keys(), key=lambda product: _draw(seed, product))
    finest = _Finest(product_concepts, hierarchy_closure, concepts, concepts_per_text)
    rows = [
        (batch_id, position, text_of[product], image_of[product], finest.of(product))
        for batch_id, batch in enumerate(_batches(pairable, {p: picture_of[image_of[p]] for p in pairable}, batch_size))
        for position, product in enumerate(batch)
    ]
    schema = TABLES["batch_plan"].schema
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    plan = pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
    counts = {
        "pairs": len(rows),
        "products_without_text": len(image_of.keys() - text_of.keys()),
        "products_without_image": len(text_of.keys() - image_of.keys()),
    }
    return in_order(plan.replace_schema_metadata({name: str(count) for name, count in counts.items()}), "batch_plan")


def _columns(table: pa.Table, *names: str) -> list[list[str]]:
    return [table[name].to_pylist() for name in names]


def _draw(seed: int, *parts: str) -> bytes:
    return hashlib.blake2b("\x1f".join([str(seed), *parts]).encode(), digest_size=8).digest()


def _drawn(rows: Iterable[tuple[str, str, str]], seed: int) -> dict[str, str]:
    """For each product the id with the least draw; rows are (product_id, id, field)."""
    best: dict[str, tuple[bytes, str]] = {}
    for product, item, field in rows:
        if field.startswith(BOILERPLATE):
            continue
        candidate = (_draw(seed, product, item), item)
        if product not in best or candidate < best[product]:
            best[product] = candidate
    return {product: item for product, (_, item) in best.items()}


def _batches(products: Sequence[str], picture_of: Mapping[str, str], batch_size: int) -> Iterator[list[str]]:
    """Products in order, cut into batches; one whose picture is in the batch already waits for the next."""
    coming = iter(products)
    waiting: list[str] = []
    exhausted = False
    while not exhausted or waiting:
        batch: list[str] = []
        pictures: set[str] = set()
        held, waiting = waiting, []
        for product in held:
            _place(product, picture_of, batch, pictures, waiting, batch_size)
        while len(batch) < batch_size and not exhausted:
            following = next(coming, None)
            if following is None:
                exhausted = True
            else:
                _place(following, picture_of, batch, pictures, waiting, batch_size)
        if batch:
            yield batch


def _place(
    product: str,
    picture_of: Mapping[str, str],
    batch: list[str],
    pictures: set[str],
    waiting: list[str],
    batch_size: int,
) -> None:
    if len(batch) >= batch_size or picture_of[product] in pictures:
        waiting.append(product)
        return
    batch.append(product)
    pictures.add(picture_of[product])


@dataclass(frozen=True)
class _Rank:
    """How a concept is ordered among those of a product: less is finer."""

    modifiers: int
    n_products: int


class _Finest:
    """The concepts of a product, finest first, filled up with their hypernyms."""

    def __init__(self, product_concepts: pa.Table, closure: pa.Table, concepts: pa.Table, limit: int) -> None:
        self._limit = limit
        known = zip(*_columns(concepts, "concept_id", "modifiers", "n_products"), strict=True)
        self._rank = {concept: _Rank(len(modifiers), n_products) for concept, modifiers, n_products in known}
        self._of_product: dict[str, list[tuple[str, int]]] = {}
        for product, concept, count in zip(
            *_columns(product_concepts, "product_id", "concept_id", "n_mentions"), strict=True
        ):
            if concept in self._rank:
                self._of_product.setdefault(product, []).append((concept, count))
        self._above: dict[str, list[tuple[int, str]]] = {}
        for low, high, depth in zip(*_columns(closure, "hyponym_id", "hypernym_id", "depth"), strict=True):
            self._above.setdefault(low, []).append((depth, high))

    def of(self, product: str) -> list[str]:
        own = sorted(self._of_product.get(product, ()), key=lambda pair: self._order(*pair))
        chosen = [concept for concept, _ in own[: self._limit]]
        if len(chosen) == self._limit:
            return chosen
        above = sorted(
            {(depth, *self._order(high, 0), high) for low in chosen for depth, high in self._above.get(low, ())}
        )
        for *_, concept in above:
            if concept not in chosen and concept in self._rank and len(chosen) < self._limit:
                chosen.append(concept)
        return chosen

    def _order(self, concept: str, n_mentions: int) -> tuple[int, int, int, str]:
        rank = self._rank.get(concept, _Rank(0, 0))
        return -rank.modifiers, -n_mentions, rank.n_products, concept
