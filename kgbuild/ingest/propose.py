"""Looks at an unknown catalogue's columns and proposes what each holds, for `kgbuild init`.

Two things speak for a use: a column's name (`_NAMES`) and what its first rows hold (`ColumnFacts`). What they hold decides whether it
can be used so at all; the name decides between columns that could.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from kgbuild.config import CatalogueConfig, ColumnsConfig
from kgbuild.errors import CatalogueError
from kgbuild.ingest.catalogue import image_root
from kgbuild.ingest.columns import ColumnFacts, column_facts
from kgbuild.ingest.files import catalogue_files
from kgbuild.ingest.read import Row, column_names, read_rows

SAMPLE_ROWS: Final = 500
_NAMES: Final = {  # by use, the names that shops give such columns, best first; underscores, blanks and case do not count
    "id": ("id", "productid", "sku", "itemid", "handle", "articleid", "styleid", "asin", "uniqid", "gtin", "ean", "code", "productcode"),
    "title": ("title", "productdisplayname", "productname", "producttitle", "name", "itemname", "displayname", "headline"),
    "texts": ("description", "productdescription", "bodyhtml", "body", "longdescription", "shortdescription", "stylenote", "details",
              "productdetails", "features", "bulletpoints", "highlights", "about", "text", "summary", "caption", "note", "notes",
              "materialscare", "materialandcare", "care", "sizefit", "sizeandfit", "fit"),
    "brand": ("brand", "brandname", "vendor", "manufacturer", "label", "maker"),
    "category": ("mastercategory", "department", "category", "categories", "categorypath", "productcategory", "googleproductcategory",
                 "maincategory", "topcategory", "breadcrumb", "breadcrumbs", "subcategory", "subsubcategory", "articletype", "producttype",
                 "type", "class", "subclass"),
    "images": ("image", "images", "imagesrc", "imageurl", "imageurls", "imagelink", "picture", "pictures", "photo", "photos", "img",
               "imagepath", "mainimage", "thumbnail", "variantimage"),
    "attributes": ("attributes", "articleattributes", "specifications", "specs", "properties", "gender", "agegroup", "color", "colour",
                   "basecolour", "basecolor", "season", "usage", "material", "fabric", "pattern", "size", "fit", "occasion", "tags"),
    "split": ("split", "partition", "fold", "subset"),
}  # fmt: skip
_NEVER: Final = re.compile(
    r"sku|price|cost|stock|quantity|inventory|year|date|time|created|updated|published|url|link|barcode|weight|grams|rating|reviews?|status|"
    r"discount|position|taxable|shipping|seo|alttext|policy|service|tracker|giftcard|currency|count|requires"
)
_BROAD_TO_NARROW: Final = (
    "department",
    "master",
    "main",
    "top",
    "category",
    "sub",
    "subsub",
    "article",
    "type",
    "class",
)
_SEPARATORS: Final = (" > ", ">", " / ", "/", "|", " :: ", ",")


def propose_mapping(path: str) -> tuple[CatalogueConfig, dict[str, str]]:
    """A mapping for the catalogue at `path`, and a note on each choice by its key in the configuration ("catalogue.columns.title").

    Raises:
        CatalogueError: it cannot be read, or no column can be an id.
    """
    bare = CatalogueConfig(path=path)
    names = column_names(catalogue_files(bare)[0])
    rows = _first_rows(bare, names)
    if not rows:
        raise CatalogueError(
            f"the catalogue {path} has no readable rows",
            "look at its first lines; set catalogue.format if they are right",
        )
    facts = [column_facts(name, rows, image_root(bare)) for name in names]
    columns, notes = _choose(facts, len(rows))
    unused = [f.name for f in facts if f.name not in _used(columns)]
    notes["catalogue.columns"] = f"looked at the first {len(rows)} rows; not used: {', '.join(unused) or 'none'}"
    return replace(bare, columns=columns), {key: _safe(note) for key, note in notes.items()}


def _first_rows(bare: CatalogueConfig, names: Sequence[str]) -> list[Row]:
    every = replace(bare, columns=ColumnsConfig(id=names[0] if names else "", title="", attributes=tuple(names)))
    batches = read_rows(every, batch_rows=SAMPLE_ROWS)
    return list(islice((row for batch in batches for row in batch.rows), SAMPLE_ROWS))


def _choose(facts: Sequence[ColumnFacts], rows: int) -> tuple[ColumnsConfig, dict[str, str]]:
    notes: dict[str, str] = {}
    taken: set[str] = set()

    def take(use: str, chosen: Sequence[ColumnFacts]) -> tuple[str, ...]:
        taken.update(f.name for f in chosen)
        if chosen:
            notes[f"catalogue.columns.{use}"] = "; ".join(_note(f, use) for f in chosen)
        return tuple(f.name for f in chosen)

    def free() -> list[ColumnFacts]:
        return [f for f in facts if f.name not in taken and f.filled]

    ids = take("id", _best_id(free(), rows))
    images = take("images", [f for f in free() if f.looks_like_pictures])
    title = take(
        "title", _by_name("title", [f for f in free() if f.is_text and f.words >= 1])[:1] or _likely_title(free())
    )
    brand = take("brand", _by_name("brand", [f for f in free() if f.is_text and f.words <= 5])[:1])
    split = take(
        "split",
        [
            f
            for f in free()
            if set(f.examples) <= {"train", "val", "valid", "validation", "test", "dev"} and f.distinct <= 4
        ],
    )
    category = take("category", _categories(free(), rows))
    texts = take("texts", _texts(free()))
    attributes = take("attributes", _attributes(free(), rows))
    separator = _separator([f for f in facts if f.name in category])
    if separator and len(category) == 1:
        notes["catalogue.columns.category_separator"] = (
            f"as in {next(f for f in facts if f.name == category[0]).examples[0]!r}"
        )
    columns = ColumnsConfig(
        id=ids[0], title=title[0] if title else "", texts=texts, images=images, brand=brand[0] if brand else "", category=category,
        category_separator=separator or ">", attributes=attributes, split=split[0] if split else "",
    )  # fmt: skip
    return columns, notes


def _best_id(facts: Sequence[ColumnFacts], rows: int) -> list[ColumnFacts]:
    """The best-named column that is filled; else the first whose values are all different."""
    usable = [f for f in facts if f.filled >= 0.9 * rows and not f.is_bytes and f.words <= 3]
    unique = [f for f in usable if f.distinct == f.filled]
    found = _by_name("id", unique) or _by_name("id", [f for f in usable if f.distinct > 0.2 * f.filled]) or unique
    if not found:
        raise CatalogueError(
            "no column can be an id: none is filled and different in every row", "add one, and set catalogue.columns.id"
        )
    return found[:1]


def _likely_title(facts: Sequence[ColumnFacts]) -> list[ColumnFacts]:
    """Without a name that tells: the fullest column of a few words in which most rows differ."""
    likely = [
        f
        for f in facts
        if f.is_text and 2 <= f.words <= 20 and f.distinct > 0.5 * f.filled and not _NEVER.search(f.plain)
    ]
    return sorted(likely, key=lambda f: -f.filled)[:1]


def _categories(facts: Sequence[ColumnFacts], rows: int) -> list[ColumnFacts]:
    named = [
        f for f in _by_name("category", facts) if f.is_text and f.words <= 12 and f.distinct <= max(20, 0.5 * rows)
    ]
    paths = [f for f in named if _separator([f])]
    if paths:
        return paths[:1]
    return sorted(named, key=lambda f: (_breadth(f), f.distinct))


def _breadth(column: ColumnFacts) -> int:
    """How narrow a level the column's name means; later words of `_BROAD_TO_NARROW` are narrower."""
    return max((rank for rank, word in enumerate(_BROAD_TO_NARROW) if column.plain.startswith(word)), default=4)


def _texts(facts: Sequence[ColumnFacts]) -> list[ColumnFacts]:
    """Columns named like texts, and any other with sentences in it; the most descriptive names first."""
    named = _by_name("texts", [f for f in facts if f.is_text and f.words > 1.5])
    unnamed = [
        f
        for f in facts
        if f not in named and f.is_text and f.words >= 8 and f.distinct > 0.3 * f.filled and not _NEVER.search(f.plain)
    ]
    return [*named, *sorted(unnamed, key=lambda f: -f.words)]


def _attributes(facts: Sequence[ColumnFacts], rows: int) -> list[ColumnFacts]:
    """JSON objects, and columns with few distinct short values; in the order of the catalogue."""
    few = max(20, rows // 4)
    named = {f.name for f in _by_name("attributes", facts)}
    return [
        f for f in facts
        if f.is_json or (f.is_text and f.words <= 6 and not _NEVER.search(f.plain) and (f.name in named or 1 < f.distinct <= few))
    ]  # fmt: skip


def _by_name(use: str, facts: Sequence[ColumnFacts]) -> list[ColumnFacts]:
    """The columns that have one of the names of a use, best name first; "product_image_2" counts as "image"."""
    order = {name: rank for rank, name in enumerate(_NAMES[use])}
    ranked = [(order.get(f.plain, order.get(re.sub(r"^(?:product|item)|\d+$", "", f.plain), -1)), f) for f in facts]
    return [f for rank, f in sorted(ranked, key=lambda pair: pair[0]) if rank >= 0]


def _separator(facts: Sequence[ColumnFacts]) -> str:
    """What parts the levels of a path column: the first separator that most examples hold."""
    examples = [example for f in facts for example in f.examples]
    found = (s for s in _SEPARATORS if examples and sum(s in example for example in examples) > len(examples) / 2)
    return next(found, "").strip()


def _note(column: ColumnFacts, use: str) -> str:
    share = f"{column.name}: {column.filled} of {column.rows} rows filled"
    if use == "id":
        repeated = column.filled - column.distinct
        return f"{share}, " + (f"{repeated} repeat an id and would go to rejects" if repeated else "all different")
    if use == "images":
        return f"{share}, " + ("pictures as bytes" if column.is_bytes else f"for example {column.examples[0][:60]!r}")
    if use in ("title", "texts"):
        return f"{share}, {column.words:.0f} words on average"
    if column.is_json:
        return f"{share}, JSON objects"
    return f"{share}, {column.distinct} values, most often {column.examples[0][:40]!r}"


def _used(columns: ColumnsConfig) -> set[str]:
    return {
        columns.id,
        columns.title,
        columns.brand,
        columns.split,
        *columns.texts,
        *columns.images,
        *columns.category,
        *columns.attributes,
    }


def _safe(note: str) -> str:
    """A note is written as one comment line."""
    return " ".join(note.split())
