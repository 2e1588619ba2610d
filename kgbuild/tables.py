"""One Arrow schema per table, and `conform`, which every stage's output passes.

Each row is one fact and each table has one writer. Rows are ordered by the key, so the same facts give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import TableError


@dataclass(frozen=True)
class TableSpec:
    """What a table is: its key (also its order), its schema, the stage that writes it, and what a row says."""

    name: str
    key: tuple[str, ...]
    schema: pa.Schema
    writer: str
    about: str


def _field(name: str, kind: pa.DataType, *, null: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=null)


_STR: Final = pa.string()
_STRINGS: Final = pa.list_(pa.field("item", _STR, nullable=False))
_ATTRIBUTES: Final = pa.map_(_STR, _STR)


def _spec(name: str, key: Sequence[str], writer: str, about: str, *fields: pa.Field) -> TableSpec:
    return TableSpec(name, tuple(key), pa.schema(fields), writer, about)


_ALL = (
    _spec(
        "products", ["product_id"], "ingest", "one product of the catalogue",
        _field("product_id", _STR), _field("title", _STR), _field("brand", _STR, null=True),
        _field("category_path", _STRINGS), _field("attributes", _ATTRIBUTES), _field("split", _STR, null=True),
    ),
    _spec(
        "texts", ["text_id"], "ingest",
        "one text of a product; field is title, a column's name, or boilerplate:<kind> for sections set apart",
        _field("text_id", _STR), _field("product_id", _STR), _field("field", _STR), _field("text", _STR),
    ),
    _spec(
        "images", ["image_id"], "ingest", "one picture of a product; width and height in pixels as the catalogue had it",
        _field("image_id", _STR), _field("product_id", _STR), _field("uri", _STR), _field("width", pa.int32()),
        _field("height", pa.int32()), _field("sha256", _STR),
    ),
    _spec(
        "pictures", ["sha256"], "ingest", "the bytes of a distinct picture: as found, or reduced to JPEG when larger than asked",
        _field("sha256", _STR), _field("image", pa.binary()),
    ),
    _spec(
        "mentions", ["text_id", "start", "end", "concept_id"], "mentions",
        "one occurrence of a maximal concept; start and end count characters of the text, domain is the kind of thing its head names there",
        _field("text_id", _STR), _field("start", pa.int32()), _field("end", pa.int32()), _field("surface_form", _STR),
        _field("concept_id", _STR), _field("head_noun", _STR), _field("modifiers", _STRINGS), _field("domain", _STR),
    ),
    _spec(
        "synonyms", ["kind", "name", "canonical"], "synonyms",
        "one decision on two names; kind: word (wherever it stands), name, form (before a head), cut (into units), head, unit; "
        "decision: merged, proposed, kept_apart, by_hand, unknown; supports in products, similarity of their company (of forms the share "
        "said alike) up to 1",
        _field("kind", _STR), _field("name", _STR), _field("canonical", _STR), _field("rule", _STR),
        _field("support", pa.int64()), _field("canonical_support", pa.int64()), _field("similarity", pa.float32()),
        _field("decision", _STR), _field("evidence", _STR),
    ),
    _spec(
        "phrases", ["concept_id"], "synonyms",
        "what a maximal concept as mined is called in the end; canonical_id is of the head and modifiers given here",
        _field("concept_id", _STR), _field("canonical_id", _STR), _field("head_noun", _STR), _field("modifiers", _STRINGS),
    ),
    _spec(
        "heads", ["head_noun"], "head_edges",
        "the kind of thing a head noun names (kgbuild.domains) where enough products say it; confidence 0-1",
        _field("head_noun", _STR), _field("domain", _STR), _field("confidence", pa.float32()), _field("n_products", pa.int64()),
    ),
    _spec(
        "head_edges", ["hyponym_id", "hypernym_id"], "head_edges",
        "one kind of thing is-a another, where no modifier tells it; support in products (for a taxonomy in lines), confidence 0-1",
        _field("hyponym_id", _STR), _field("hypernym_id", _STR), _field("hyponym_head", _STR), _field("hyponym_modifiers", _STRINGS),
        _field("hypernym_head", _STR), _field("hypernym_modifiers", _STRINGS), _field("rule", _STR), _field("support", pa.int64()),
        _field("confidence", pa.float32()),
    ),
    _spec(
        "product_categories", ["product_id"], "head_edges", "the concept of the finest category that a product's path names",
        _field("product_id", _STR), _field("concept_id", _STR),
    ),
    _spec(
        "concepts", ["concept_id"], "concepts",
        "one concept with enough support; the counts take in every mention that it subsumes",
        _field("concept_id", _STR), _field("label", _STR), _field("head_noun", _STR), _field("modifiers", _STRINGS),
        _field("n_mentions", pa.int64()), _field("n_products", pa.int64()),
    ),
    _spec(
        "product_concepts", ["product_id", "concept_id"], "concepts",
        "the most specific concepts that a product's mentions fall under, with the number of those mentions",
        _field("product_id", _STR), _field("concept_id", _STR), _field("n_mentions", pa.int64()),
    ),
    _spec(
        "is_a_edges", ["hyponym_id", "hypernym_id"], "hierarchy",
        "hyponym is-a hypernym; support in products of the hyponym, confidence 0-1",
        _field("hyponym_id", _STR), _field("hypernym_id", _STR), _field("rule", _STR), _field("support", pa.int64()),
        _field("confidence", pa.float32()),
    ),
    _spec(
        "image_embeddings", ["id"], "image_embeddings", "L2-normalised embedding of an image; model and dim in the metadata",
        _field("id", _STR), _field("embedding", pa.list_(pa.float32())),
    ),
    _spec(
        "concept_embeddings", ["id"], "concept_embeddings", "L2-normalised embedding of a concept's prompts",
        _field("id", _STR), _field("embedding", pa.list_(pa.float32())),
    ),
    _spec(
        "candidate_pools", ["concept_id", "pool_rank"], "prototypes",
        "the images most like a concept, best first (pool_rank from 0); relevance is a cosine similarity",
        _field("concept_id", _STR), _field("pool_rank", pa.int32()), _field("image_id", _STR), _field("relevance", pa.float32()),
    ),
    _spec(
        "prototypes", ["concept_id", "prototype_rank"], "prototypes",
        "a concept's visual prototypes in the order MMR chose them (rank from 0); redundancy is the largest similarity to an earlier one",
        _field("concept_id", _STR), _field("prototype_rank", pa.int32()), _field("image_id", _STR),
        _field("relevance", pa.float32()), _field("redundancy", pa.float32()),
    ),
    _spec(
        "batch_plan", ["batch_id", "position"], "batches", "one text-image pair of a training batch and its concepts, finest first",
        _field("batch_id", pa.int32()), _field("position", pa.int32()), _field("text_id", _STR), _field("image_id", _STR),
        _field("concept_ids", _STRINGS),
    ),
    _spec(
        "nodes", ["id"], "graph", "one node of the graph view; properties as a JSON object",
        _field("id", _STR), _field("label", _STR), _field("properties", _STR),
    ),
    _spec(
        "edges", ["src", "dst", "type"], "graph", "one edge of the graph view; properties as a JSON object",
        _field("src", _STR), _field("dst", _STR), _field("type", _STR), _field("properties", _STR),
    ),
    _spec(
        "metrics", ["run_id", "protocol", "direction", "metric"], "retrieval", "one measured number",
        _field("run_id", _STR), _field("protocol", _STR), _field("direction", _STR), _field("metric", _STR),
        _field("value", pa.float64()), _field("n_queries", pa.int64()), _field("gallery", pa.int64()),
    ),
    _spec(
        "rejects", ["stage", "key", "reason", "detail"], "every stage", "what could not be used, and why",
        _field("stage", _STR), _field("key", _STR), _field("reason", _STR), _field("detail", _STR),
    ),
)  # fmt: skip

TABLES: Final[Mapping[str, TableSpec]] = {spec.name: spec for spec in _ALL}


def empty(name: str) -> pa.Table:
    """A table of that name without rows."""
    return TABLES[name].schema.empty_table()


def conform(rows: pa.Table, name: str) -> pa.Table:
    """Select and cast `rows` to the schema of table `name`; the metadata of `rows` is kept.

    Raises:
        TableError: a column is missing, has another type, or holds a null where the schema allows none.
    """
    schema = TABLES[name].schema
    missing = [field.name for field in schema if field.name not in rows.column_names]
    if missing:
        raise TableError(f"table {name} lacks the columns {missing}; it has {rows.column_names}")
    selected = rows.select(schema.names)
    for field in schema:
        if count := _forbidden_nulls(selected[field.name], field):
            raise TableError(f"column {name}.{field.name} holds {count} nulls where none are allowed")
    try:
        return selected.cast(schema.with_metadata(rows.schema.metadata))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise TableError(f"rows do not fit table {name}: {error}") from error


def _forbidden_nulls(values: pa.ChunkedArray, field: pa.Field) -> int:
    """Nulls where the schema has none: Arrow's cast lets those inside of lists pass."""
    count = 0 if field.nullable else values.null_count
    if pa.types.is_list(field.type) and not field.type.value_field.nullable and pa.types.is_list(values.type):
        count += pc.list_flatten(values).null_count
    return int(count)


def in_order(rows: pa.Table, name: str) -> pa.Table:
    """`rows` conformed and sorted by the table's key."""
    return conform(rows, name).sort_by([(column, "ascending") for column in TABLES[name].key])


def count_reasons(rejects: pa.Table) -> dict[str, int]:
    """How many rows of `rejects` have each reason, in the order of the reasons."""
    counts = rejects.group_by("reason").aggregate([([], "count_all")])
    return dict(sorted(zip(counts["reason"].to_pylist(), counts["count_all"].to_pylist(), strict=True)))


def reject_rows(stage: str, rows: Sequence[tuple[str, str, str]]) -> pa.Table:
    """A `rejects` table from (key, reason, detail) triples of one stage."""
    return pa.Table.from_pylist(
        [{"stage": stage, "key": key, "reason": reason, "detail": detail[:500]} for key, reason, detail in rows],
        schema=TABLES["rejects"].schema,
    )
