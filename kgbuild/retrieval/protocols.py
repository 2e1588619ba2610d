"""The evaluation protocols: FashionGen's sample and full ones, and two of Marqo's (METHOD.md section 6).

`texts_to_embed` says which texts an encoder has to embed for a protocol; `evaluate` turns the embeddings into rows of the
table `metrics`. Both take every row they need from tables, in the order of ids, so a permuted table changes nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from kgbuild.errors import ConfigError
from kgbuild.retrieval.corpus import (
    Vectors,
    image_vectors,
    one_text_a_product,
    product_vectors,
    query_table,
    text_vectors,
)
from kgbuild.retrieval.measured import (
    Measured,
    ProtocolSettings,
    askable,
    both_directions,
    metric_rows,
    products_asked,
)
from kgbuild.retrieval.metrics import all_metrics
from kgbuild.retrieval.ranks import rank_relevant, relevance_by_key
from kgbuild.retrieval.sample import sample_protocol

PROTOCOLS: Final = ("sample", "full", "title_to_image", "category_to_product")


def texts_to_embed(
    products: pa.Table, texts: pa.Table, *, protocol: str, settings: ProtocolSettings | None = None
) -> pa.Table:
    """The distinct texts that `evaluate` will look up, as a table (id, text) in the order of ids."""
    settings = settings or ProtocolSettings()
    _check_protocol(protocol)
    wanted = list(one_text_a_product(products, texts, _field(protocol, settings)).values())
    if protocol == "category_to_product":
        wanted += [value for values in _categories(products, settings).values() for value in values.values()]
    return query_table(wanted)


def evaluate(
    products: pa.Table,
    texts: pa.Table,
    images: pa.Table,
    text_embeddings: pa.Table,
    image_embeddings: pa.Table,
    *,
    protocol: str,
    run_id: str,
    seed: int = 0,
    settings: ProtocolSettings | None = None,
) -> pa.Table:
    """Measure a model by one of PROTOCOLS and return rows of the table `metrics`.

    Args:
        products: the products whose images and texts make the gallery.
        texts: their texts.
        images: their images.
        text_embeddings: (id, embedding) of the rows of `texts_to_embed`.
        image_embeddings: (id, embedding) by image_id.
        protocol: one of PROTOCOLS.
        run_id: goes into every row.
        seed: of the draws of the sample protocol; the others draw nothing.
        settings: what the protocol leaves open.

    Raises:
        ConfigError: the protocol, the field, the split or an attribute is unknown.
        TableError: a text has no embedding, or no image has one.
    """
    settings = settings or ProtocolSettings()
    _check_protocol(protocol)
    chosen = one_text_a_product(products, texts, _field(protocol, settings))
    ours = text_vectors(list(chosen), list(chosen.values()), text_embeddings)
    pictures = image_vectors(products, images, image_embeddings)
    if protocol == "sample":
        found = sample_protocol(products, ours, pictures, seed, settings)
    elif protocol == "full":
        found = _full(products, ours, pictures, settings)
    elif protocol == "title_to_image":
        found = _title_to_image(products, ours, chosen, pictures, settings)
    else:
        found = _category_to_product(products, ours, pictures, text_embeddings, settings)
    return metric_rows(run_id, protocol, found)


def _full(products: pa.Table, texts: Vectors, images: Vectors, settings: ProtocolSettings) -> list[Measured]:
    found = [
        _ranked(name, queries, gallery, products, settings)
        for name, queries, gallery in (("image_to_text", images, texts), ("text_to_image", texts, images))
    ]
    return [*found, both_directions(found)]


def _ranked(name: str, queries: Vectors, gallery: Vectors, products: pa.Table, settings: ProtocolSettings) -> Measured:
    """One direction over the whole gallery: queries that have no relevant item in it are not asked."""
    asked = queries.take(askable(queries, gallery, products_asked(products, settings.query_split)))
    ranked = rank_relevant(asked.embeddings, gallery.embeddings, relevance_by_key(asked.keys, gallery.keys))
    return Measured(name, all_metrics(ranked), len(asked.keys), len(gallery.keys))


def _title_to_image(
    products: pa.Table, texts: Vectors, titles: Mapping[str, str], images: Vectors, settings: ProtocolSettings
) -> list[Measured]:
    """Each unique title against all images; every image of a product so titled is relevant."""
    gallery = Vectors(tuple(titles.get(key, "") for key in images.keys), images.embeddings)
    there, asked = set(gallery.keys), products_asked(products, settings.query_split)
    first: dict[str, int] = {}
    for place, product in enumerate(texts.keys):
        if product in asked and titles[product] in there:
            first.setdefault(titles[product], place)
    if not first:
        raise ConfigError("no query has a relevant item in the gallery", "check the split and the images")
    queries = texts.embeddings[list(first.values())]
    ranked = rank_relevant(queries, gallery.embeddings, relevance_by_key(list(first), gallery.keys))
    return [Measured("text_to_image", all_metrics(ranked), len(first), len(gallery.keys))]


def _category_to_product(
    products: pa.Table, texts: Vectors, images: Vectors, text_embeddings: pa.Table, settings: ProtocolSettings
) -> list[Measured]:
    """Each value of a level of the category path, or of an attribute, against all product vectors."""
    gallery = product_vectors(texts, images, image_weight=settings.image_weight)
    found = []
    for name, values in _categories(products, settings).items():
        keys = tuple(values.get(product, "") for product in gallery.keys)
        asked = sorted(set(keys) - {""})
        if not asked:
            continue
        queries = text_vectors(asked, asked, text_embeddings)
        ranked = rank_relevant(queries.embeddings, gallery.embeddings, relevance_by_key(asked, keys))
        found.append(Measured(f"{name}_to_product", all_metrics(ranked), len(asked), len(keys)))
    return found


def _categories(products: pa.Table, settings: ProtocolSettings) -> dict[str, dict[str, str]]:
    """Query family -> product_id -> its value: category_1, category_2, ... and the attributes asked for."""
    families: dict[str, dict[str, str]] = {}
    known: set[str] = set()
    for row in products.select(["product_id", "category_path", "attributes"]).to_pylist():
        for level, value in enumerate(row["category_path"], start=1):
            if value:
                families.setdefault(f"category_{level}", {})[row["product_id"]] = value
        for name, value in row["attributes"]:
            known.add(name)
            if name in settings.attributes and value:
                families.setdefault(name, {})[row["product_id"]] = value
    for name in settings.attributes:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.3)
            raise ConfigError(f"no product has the attribute {name!r}", f"near to it: {', '.join(near) or 'nothing'}")
    return dict(sorted(families.items()))


def _field(protocol: str, settings: ProtocolSettings) -> str:
    return "title" if protocol == "title_to_image" else settings.field


def _check_protocol(protocol: str) -> None:
    if protocol not in PROTOCOLS:
        near = difflib.get_close_matches(protocol, PROTOCOLS, n=1, cutoff=0.3)
        remedy = f"did you mean {near[0]!r}?" if near else f"it is one of: {', '.join(PROTOCOLS)}"
        raise ConfigError(f"unknown protocol {protocol!r}", remedy)
