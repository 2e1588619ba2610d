"""One self-contained HTML file of a release: the hierarchy as a tree, pictures, counts, example texts, a search box.

Everything that comes from the catalogue travels as JSON inside the page and is shown by `textContent` alone, under a content
security policy that allows this page's own script and style by their hashes and nothing else: a product text is never markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, TypeAlias

import pyarrow as pa

from kgbuild.hierarchy import primary_hypernyms
from kgbuild.serve.examples import Example, Examples, find_examples
from kgbuild.serve.thumbnails import Pictures, thumbnail_uri

Pieces: TypeAlias = pa.Table | Iterable[pa.Table]
"""A table, or its pieces in order."""


@dataclass(frozen=True)
class PageLimits:
    """What keeps the page small; it says itself what was left out.

    Args:
        max_bytes: about the size of the file; concepts with most products get their pictures first.
        pictures_per_concept: prototypes shown, the first in MMR's order.
        examples_per_concept: example texts shown.
        thumbnail_side: no side of an embedded picture is longer, in pixels.
    """

    max_bytes: int = 25_000_000
    pictures_per_concept: int = 8
    examples_per_concept: int = 3
    thumbnail_side: int = 160


@dataclass(frozen=True)
class PageReport:
    """What was written: pictures are distinct ones; `unreadable_pictures` could not be decoded or were not found."""

    path: Path
    n_bytes: int
    n_concepts: int
    n_concepts_with_pictures: int
    n_pictures: int
    n_examples: int
    unreadable_pictures: int


def write_page(
    out: Path,
    *,
    concepts: pa.Table,
    is_a_edges: pa.Table,
    prototypes: pa.Table,
    images: pa.Table,
    products: Pieces,
    texts: Pieces,
    mentions: Pieces,
    pictures: Pictures,
    title: str = "Fashion knowledge graph",
    release_id: str = "",
    limits: PageLimits | None = None,
) -> PageReport:
    """Write the page of a release to `out`, by one rename; the same release gives the same bytes.

    Args:
        out: the HTML file to write.
        concepts: table `concepts`.
        is_a_edges: table `is_a_edges`.
        prototypes: table `prototypes`.
        images: table `images` (image_id, product_id and sha256 are read).
        products: table `products`, or its pieces (product_id and title are read).
        texts: table `texts`, or its pieces.
        mentions: table `mentions`, or its pieces.
        pictures: the bytes of pictures by sha256, asked for in batches.
        title: the page's heading.
        release_id: shown beside it.
        limits: what keeps the page small.
    """
    limits = limits or PageLimits()
    order = concepts.sort_by([("n_products", "descending"), ("label", "ascending"), ("concept_id", "ascending")])
    found = find_examples(order, _pieces(mentions), _pieces(texts), per_concept=limits.examples_per_concept)
    shown = _shown_pictures(prototypes, images, limits.pictures_per_concept)
    titles, n_products = _titles(products, found, shown)
    data = _page_data(order, is_a_edges, found, shown, titles)
    data |= {"title": title, "release": release_id, "nProducts": n_products, "nImages": images.num_rows}
    fixed = _json(data)
    style, script = _asset("page.css"), _asset("page.js")
    room = limits.max_bytes - len(fixed.encode()) - len(style.encode()) - len(script.encode()) - 4_000
    embedded = _embed_pictures(order["concept_id"].to_pylist(), shown, pictures, room, limits.thumbnail_side)
    page = Template(_asset("page.html")).substitute(
        title=html.escape(title), style=style, script=script, style_hash=_hash(style), script_hash=_hash(script),
        data=fixed, pictures=_json({"uris": embedded.uris, "shown": embedded.concepts}),
    )  # fmt: skip
    _write(out, page)
    n_examples = sum(len(own) for own in found.passages.values())
    return PageReport(
        out, len(page.encode()), order.num_rows, embedded.concepts, len(embedded.uris), n_examples, embedded.unreadable
    )


@dataclass(frozen=True)
class _Shown:
    sha256: str
    product_id: str
    relevance: float


@dataclass(frozen=True)
class _Embedded:
    uris: Mapping[str, str]
    concepts: int
    unreadable: int


def _pieces(rows: Pieces) -> Iterable[pa.Table]:
    return [rows] if isinstance(rows, pa.Table) else rows


def _shown_pictures(prototypes: pa.Table, images: pa.Table, count: int) -> dict[str, list[_Shown]]:
    """Concept id -> its first `count` prototypes; prototypes whose image is not in the table are left out."""
    columns = (images[name].to_pylist() for name in ("image_id", "sha256", "product_id"))
    known = {image_id: (sha256, product_id) for image_id, sha256, product_id in zip(*columns, strict=True)}
    shown: dict[str, list[_Shown]] = {}
    ordered = prototypes.sort_by([("concept_id", "ascending"), ("prototype_rank", "ascending")])
    for row in ordered.select(["concept_id", "image_id", "relevance"]).to_pylist():
        own = shown.setdefault(row["concept_id"], [])
        if len(own) < count and row["image_id"] in known:
            own.append(_Shown(*known[row["image_id"]], row["relevance"]))
    return shown


def _titles(products: Pieces, found: Examples, shown: Mapping[str, list[_Shown]]) -> tuple[dict[str, str], int]:
    """The titles of the products that the page names, and the number of all products."""
    named = {example.product_id for own in found.passages.values() for example in own}
    named |= {picture.product_id for own in shown.values() for picture in own}
    titles: dict[str, str] = {}
    count = 0
    for piece in _pieces(products):
        count += piece.num_rows
        pairs = zip(piece["product_id"].to_pylist(), piece["title"].to_pylist(), strict=True)
        titles |= {product_id: title for product_id, title in pairs if product_id in named}
    return titles, count


def _page_data(
    concepts: pa.Table,
    edges: pa.Table,
    found: Examples,
    shown: Mapping[str, list[_Shown]],
    titles: Mapping[str, str],
) -> dict[str, Any]:
    """What the script reads: columns, with concepts and products as places in them."""
    ids = concepts["concept_id"].to_pylist()
    place = {concept_id: number for number, concept_id in enumerate(ids)}
    product = {product_id: number for number, product_id in enumerate(sorted(titles))}
    tree = primary_hypernyms(concepts, edges)
    primary = dict(zip(tree["hyponym_id"].to_pylist(), tree["hypernym_id"].to_pylist(), strict=True))
    return {
        "id": ids,
        "label": concepts["label"].to_pylist(),
        "products": concepts["n_products"].to_pylist(),
        "mentions": concepts["n_mentions"].to_pylist(),
        "primary": [place[primary[concept_id]] if concept_id in primary else -1 for concept_id in ids],
        "edges": [
            [
                place[row["hyponym_id"]],
                place[row["hypernym_id"]],
                row["rule"],
                row["support"],
                round(row["confidence"], 3),
            ]
            for row in edges.to_pylist()
        ],
        "pictures": [
            [
                [one.sha256, product.get(one.product_id, -1), round(one.relevance, 3)]
                for one in shown.get(concept_id, [])
            ]
            for concept_id in ids
        ],
        "examples": [[_example(one, product) for one in found.passages.get(concept_id, [])] for concept_id in ids],
        "forms": [found.forms.get(concept_id, []) for concept_id in ids],
        "titles": [[product_id, titles[product_id]] for product_id in sorted(titles)],
    }


def _example(one: Example, product: Mapping[str, int]) -> list[Any]:
    plain = asdict(one)
    plain["product_id"] = product.get(one.product_id, -1)
    return list(plain.values())


def _embed_pictures(
    concept_ids: Sequence[str], shown: Mapping[str, list[_Shown]], pictures: Pictures, room: int, side: int
) -> _Embedded:
    """Thumbnails concept by concept, in the given order, while there is room: the first that does not fit ends it."""
    uris: dict[str, str] = {}
    unreadable: set[str] = set()
    with_pictures, used = 0, 0
    for concept_id, thumbnails in _thumbnails(concept_ids, shown, pictures, side):
        own = {one.sha256: thumbnails[one.sha256] for one in shown[concept_id]}
        unreadable.update(sha for sha, uri in own.items() if uri is None)
        fresh = {sha: uri for sha, uri in own.items() if uri is not None and sha not in uris}
        cost = sum(len(uri) + 72 for uri in fresh.values())
        if used + cost > room:
            break
        used += cost
        uris |= fresh
        with_pictures += any(uri is not None for uri in own.values())
    return _Embedded(uris, with_pictures, len(unreadable))


def _thumbnails(
    concept_ids: Sequence[str], shown: Mapping[str, list[_Shown]], pictures: Pictures, side: int
) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Concepts with the thumbnails known so far; pictures are asked for a few hundred concepts at a time."""
    made: dict[str, str | None] = {}
    having = [concept_id for concept_id in concept_ids if shown.get(concept_id)]
    for first in range(0, len(having), 500):
        some = having[first : first + 500]
        wanted = sorted({one.sha256 for concept_id in some for one in shown[concept_id]} - made.keys())
        content = pictures(wanted)
        made |= {sha: thumbnail_uri(content.get(sha, b""), side=side) for sha in wanted}
        for concept_id in some:
            yield concept_id, made


def _json(value: object) -> str:
    """JSON that cannot end a script element or begin a comment in it, whatever the texts hold."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _asset(name: str) -> str:
    return resources.files("kgbuild.serve").joinpath(name).read_text("utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _write(out: Path, page: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(page, "utf-8", newline="\n")
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
