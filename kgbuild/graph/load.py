"""Loading a release into a graph store: constraints, nodes, edges, prune, indexes, and a count of what is there afterwards.

Everything written carries the run id and the release id. A store that can load aside (the embedded one) gets a new release into
a new database that takes the old one's place when it is whole; in Neo4j the rows are merged, what only the earlier release had is pruned
last, and a marker says when all is done. Either way a load that was cut short is repaired by running it again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import StoreError, TableError
from kgbuild.graph import cypher
from kgbuild.graph.view import KINDS, split_id
from kgbuild.ports import GraphStore, WriteCounts

Progress = Callable[[str, int, int], None]
"""Called with what is being loaded (a label, a type), the rows done and the rows in all."""

MESSAGE_BYTES: Final = 8_000_000
"""Rows with vectors stay below this in a message: ArcadeDB refuses more than 16 MB."""

EMBEDDING_TABLES: Final[Mapping[str, str]] = {"Concept": "concept_embeddings", "Image": "image_embeddings"}


class TableSource(Protocol):
    """Where the tables come from: a release, or any folder of tables."""

    def has(self, output: str) -> bool:
        """Whether a table is there."""
        ...

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """A table in pieces, in the order of its key."""
        ...


@runtime_checkable
class AsideStore(Protocol):
    """A store that can fill a new database while the old one stays in use."""

    def aside(self) -> AbstractContextManager[GraphStore]:
        """An empty store that takes this one's place when the block ends well."""
        ...


@dataclass(frozen=True)
class LoadReport:
    """What a load did: rows of the release by label and type, what the store says it changed, and how long it took."""

    release_id: str
    skipped: bool
    nodes: Mapping[str, int]
    edges: Mapping[str, int]
    vectors: int
    counts: WriteCounts
    seconds: float


@dataclass(frozen=True)
class GraphDiff:
    """How many nodes and edges a load would create and delete, by label and by type."""

    nodes_created: Mapping[str, int]
    nodes_deleted: Mapping[str, int]
    edges_created: Mapping[str, int]
    edges_deleted: Mapping[str, int]


@dataclass(frozen=True)
class _Stamp:
    """What is written on every node and edge."""

    run_id: str
    release_id: str

    def as_properties(self) -> dict[str, str]:
        return {"run_id": self.run_id, "release_id": self.release_id}


def load_release(
    store: GraphStore,
    tables: TableSource,
    *,
    run_id: str,
    release_id: str,
    dim: int,
    rows_per_transaction: int = 2000,
    force: bool = False,
    on_progress: Progress | None = None,
) -> LoadReport:
    """Make the store hold exactly the tables `nodes` and `edges`, with the embeddings of concepts and images.

    Args:
        store: where to load.
        tables: has `nodes` and `edges`, and `concept_embeddings` and `image_embeddings` if there are any.
        run_id: which run loads; written on every node and edge, like `release_id`.
        release_id: which release the tables are of.
        dim: length of an embedding, for the vector indexes.
        rows_per_transaction: rows a transaction; nodes with vectors go by a quarter of it.
        force: load even if the store says that it holds this release whole.
        on_progress: told of every transaction.

    Raises:
        StoreError: the store failed, or holds other counts afterwards than the tables have.
        TableError: a table is not in order.
    """
    started = time.monotonic()
    want = count_rows(tables)
    marker = next(iter(store.query(cypher.READ_MARKER)), None)
    whole = marker is not None and _is_whole(store, marker, release_id, dim, want)
    if whole and not force:
        return _report(release_id, want, WriteCounts(), started, skipped=True)
    load = _Load(tables, _Stamp(run_id, release_id), dim, rows_per_transaction, want, on_progress or _silent)
    if isinstance(store, AsideStore) and not whole:
        with store.aside() as target:
            counts = load.into(target)
    else:
        counts = load.into(store)
    return _report(release_id, want, counts, started, skipped=False)


def diff_release(store: GraphStore, tables: TableSource) -> GraphDiff:
    """What loading the tables would create and delete; nothing is written. Ids of one label or type are held at a time."""
    nodes, edges = _keys(tables)
    node_changes = {
        label: _changes(nodes.get(label, set()), {str(row["id"]) for row in store.query(cypher.NODE_IDS[label])})
        for label in cypher.NODE_LABELS
    }
    edge_changes = {
        kind: _changes(edges.get(kind, set()), {(row["src"], row["dst"]) for row in store.query(cypher.EDGE_IDS[kind])})
        for kind in cypher.EDGE_ENDS
    }
    return GraphDiff(
        {label: created for label, (created, _) in node_changes.items()},
        {label: deleted for label, (_, deleted) in node_changes.items()},
        {kind: created for kind, (created, _) in edge_changes.items()},
        {kind: deleted for kind, (_, deleted) in edge_changes.items()},
    )


@dataclass(frozen=True)
class RowCounts:
    """Rows of a release by label and by type, and how many of the nodes have a vector."""

    nodes: Mapping[str, int]
    edges: Mapping[str, int]
    vectors: Mapping[str, int]


def count_rows(tables: TableSource) -> RowCounts:
    """The rows of `nodes` by label, of `edges` by type, and of the embedding tables."""
    nodes = dict.fromkeys(cypher.NODE_LABELS, 0)
    edges = dict.fromkeys(cypher.EDGE_ENDS, 0)
    for name, column, counts in (("nodes", "label", nodes), ("edges", "type", edges)):
        for piece in tables.batches(name, [column]):
            for entry in piece[column].value_counts().to_pylist():
                if entry["values"] not in counts:
                    raise TableError(f"table {name} has rows of an unknown {column} {entry['values']!r}")
                counts[entry["values"]] += entry["counts"]
    vectors = {
        label: sum(piece.num_rows for piece in tables.batches(name, ["id"])) if tables.has(name) else 0
        for label, name in EMBEDDING_TABLES.items()
    }
    return RowCounts(nodes, edges, vectors)


class _Load:
    """One load: the tables, the stamp and the sizes, poured into a store by `into`."""

    def __init__(
        self, tables: TableSource, stamp: _Stamp, dim: int, rows: int, want: RowCounts, on_progress: Progress
    ) -> None:
        self._tables = tables
        self._stamp = stamp
        self._dim = dim
        self._rows = rows
        self._vector_rows = max(1, min(rows // 4, MESSAGE_BYTES // (9 * max(dim, 1))))
        self._want = want
        self._on_progress = on_progress

    def into(self, store: GraphStore) -> WriteCounts:
        """Write everything; what the store says it changed."""
        total = WriteCounts()
        for statement in (*cypher.CONSTRAINTS, *cypher.LOOKUP_INDEXES):
            store.write(statement)
        self._mark(store, complete=False)
        for statement, rows in self._writes():
            total = _sum(total, store.write(statement, {"rows": rows}))
        for statement in (*cypher.PRUNE_EDGES.values(), *cypher.PRUNE_NODES.values()):
            total = _sum(total, self._prune(store, statement))
        store.create_indexes(dim=self._dim)
        _warm(store)
        _verify(store, self._stamp.release_id, self._want)
        self._mark(store, complete=True)
        return total

    def _writes(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Statements with their rows: all nodes, then all edges."""
        stamp = self._stamp.as_properties()
        for label, statement in cypher.MERGE_NODES.items():
            size = self._vector_rows if self._want.vectors.get(label) else self._rows
            rows = _node_rows(self._tables, label, stamp)
            yield from self._told(label, self._want.nodes[label], statement, _chunks(rows, size))
        for kind, statement in cypher.MERGE_EDGES.items():
            rows = _edge_rows(self._tables, kind, stamp)
            yield from self._told(kind, self._want.edges[kind], statement, _chunks(rows, self._rows))

    def _told(
        self, name: str, total: int, statement: str, chunks: Iterator[list[dict[str, Any]]]
    ) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        done = 0
        for rows in chunks:
            yield statement, rows
            done += len(rows)
            self._on_progress(name, done, total)

    def _prune(self, store: GraphStore, statement: str) -> WriteCounts:
        """Delete what carries another release id, some rows a transaction."""
        total = WriteCounts()
        while True:
            counts = store.write(statement, {"release_id": self._stamp.release_id, "limit": self._rows})
            total = _sum(total, counts)
            if counts.nodes_deleted + counts.edges_deleted == 0:
                return total

    def _mark(self, store: GraphStore, *, complete: bool) -> None:
        store.write(cypher.WRITE_MARKER, self._stamp.as_properties() | {"complete": complete, "dim": self._dim})


def _node_rows(tables: TableSource, label: str, stamp: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    name = EMBEDDING_TABLES.get(label)
    vectors = _Vectors(tables, name) if name and tables.has(name) else None
    for piece in tables.batches("nodes"):
        ours = piece.filter(pc.equal(piece["label"], label))
        for node_id, properties in zip(ours["id"].to_pylist(), ours["properties"].to_pylist(), strict=True):
            row = json.loads(properties) | stamp
            row["id"] = split_id(node_id)
            vector = vectors.of(row["id"]) if vectors else None
            if vector is not None:
                row["embedding"] = vector
            yield row
    if vectors:
        vectors.check_used_up()


def _edge_rows(tables: TableSource, kind: str, stamp: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for piece in tables.batches("edges"):
        ours = piece.filter(pc.equal(piece["type"], kind))
        columns = (ours[name].to_pylist() for name in ("src", "dst", "properties"))
        for src, dst, properties in zip(*columns, strict=True):
            yield {"src": split_id(src), "dst": split_id(dst), "properties": json.loads(properties) | stamp}


class _Vectors:
    """The embeddings of a table by ids asked for in ascending order; one piece of the table is held."""

    def __init__(self, tables: TableSource, name: str) -> None:
        self._name = name
        self._rows = _embedding_rows(tables, name)
        self._next = next(self._rows, None)

    def of(self, wanted: str) -> list[float] | None:
        """The embedding of an id, or None where the table has none."""
        if self._next is None or self._next[0] > wanted:
            return None
        found, vector = self._next
        if found != wanted:
            raise TableError(
                f"{self._name} has an embedding of {found}, which is no node, or is not in order",
                "the tables are not of one build: run the stages again",
            )
        self._next = next(self._rows, None)
        return vector

    def check_used_up(self) -> None:
        """Raises TableError when an embedding is left over."""
        if self._next is not None:
            raise TableError(f"{self._name} has an embedding of {self._next[0]}, which is no node")


def _embedding_rows(tables: TableSource, name: str) -> Iterator[tuple[str, list[float]]]:
    for piece in tables.batches(name):
        yield from zip(piece["id"].to_pylist(), piece["embedding"].to_pylist(), strict=True)


def _chunks(rows: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _warm(store: GraphStore) -> None:
    """Ask each vector index once: ArcadeDB builds its search graph at the first question."""
    for name, statement in cypher.ANY_EMBEDDING.items():
        for row in store.query(statement):
            store.query(cypher.NEAREST, {"index": name, "k": 1, "vector": row["embedding"]})


def _is_whole(store: GraphStore, marker: Mapping[str, Any], release_id: str, dim: int, want: RowCounts) -> bool:
    """Whether the store's marker says that it holds the release whole, and it has the counts to show for it."""
    if not marker["complete"] or marker["release_id"] != release_id or marker["dim"] != dim:
        return False
    return _differences(store, release_id, want) == []


def _verify(store: GraphStore, release_id: str, want: RowCounts) -> None:
    differences = _differences(store, release_id, want)
    if differences:
        raise StoreError(
            f"the store does not hold what was loaded: {'; '.join(differences)}", "load again with --force"
        )


def _differences(store: GraphStore, release_id: str, want: RowCounts) -> list[str]:
    checks = (
        ("nodes", cypher.COUNT_NODES, want.nodes),
        ("edges", cypher.COUNT_EDGES, want.edges),
        ("vectors", cypher.COUNT_VECTORS, want.vectors),
    )
    found = []
    for what, statements, counts in checks:
        for kind, statement in statements.items():
            count = store.query(statement, {"release_id": release_id})[0]["n"]
            if count != counts[kind]:
                found.append(f"{count} {what} {kind} instead of {counts[kind]}")
    return found


def _keys(tables: TableSource) -> tuple[dict[str, set[str]], dict[str, set[tuple[str, str]]]]:
    nodes: dict[str, set[str]] = {}
    edges: dict[str, set[tuple[str, str]]] = {}
    prefixes = {prefix.rstrip(":"): label for label, prefix in KINDS.items()}
    for piece in tables.batches("nodes", ["id"]):
        for node_id in piece["id"].to_pylist():
            nodes.setdefault(prefixes[node_id.partition(":")[0]], set()).add(split_id(node_id))
    for piece in tables.batches("edges", ["src", "dst", "type"]):
        for row in piece.to_pylist():
            edges.setdefault(row["type"], set()).add((split_id(row["src"]), split_id(row["dst"])))
    return nodes, edges


def _changes(want: set[Any], have: set[Any]) -> tuple[int, int]:
    return len(want - have), len(have - want)


def _sum(first: WriteCounts, second: WriteCounts) -> WriteCounts:
    return WriteCounts(*(getattr(first, field.name) + getattr(second, field.name) for field in fields(WriteCounts)))


def _report(release_id: str, want: RowCounts, counts: WriteCounts, started: float, *, skipped: bool) -> LoadReport:
    seconds = time.monotonic() - started
    return LoadReport(release_id, skipped, want.nodes, want.edges, sum(want.vectors.values()), counts, seconds)


def _silent(_name: str, _done: int, _total: int) -> None:
    """No progress is asked for."""
