"""One contract for every graph store: the same statements, the same answers, on the embedded store and on a real Neo4j."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from graph.fashion import ANSWERS, PARAMETERS, fashion
from graph.synthetic import MemoryTables, release

from kgbuild.errors import StoreError
from kgbuild.graph import EXAMPLE_QUERIES, cypher, diff_release, load_release
from kgbuild.graph.view import split_id
from kgbuild.ports import GraphStore, WriteCounts


def load(store: GraphStore, tables: MemoryTables, release_id: str = "r1", dim: int = 8, **more: Any) -> Any:
    more = {"rows_per_transaction": 40} | more
    return load_release(store, tables, run_id="run", release_id=release_id, dim=dim, **more)


def content(store: GraphStore) -> dict[str, Any]:
    """Everything that the store holds under our labels and types, embeddings included."""
    nodes = {
        (label, row["n"]["id"]): row["n"] | {"embedding": row["v"]}
        for label in cypher.NODE_LABELS
        for row in store.query(f"MATCH (n:{label}) RETURN n, n.embedding AS v")
    }
    edges = {
        (kind, row["src"], row["dst"]): row["r"]
        for kind in cypher.EDGE_ENDS
        for row in store.query(f"MATCH (a)-[r:{kind}]->(b) RETURN a.id AS src, b.id AS dst, r")
    }
    return {"nodes": nodes, "edges": edges}


def expected(tables: MemoryTables, release_id: str) -> dict[str, Any]:
    """What `content` must be, read off the tables."""
    stamp = {"run_id": "run", "release_id": release_id}
    vectors = {
        (label, row["id"]): row["embedding"]
        for label, name in (("Concept", "concept_embeddings"), ("Image", "image_embeddings"))
        for row in tables.tables[name].to_pylist()
    }
    nodes = {}
    for row in tables.tables["nodes"].to_pylist():
        own = split_id(row["id"])
        more = {"labels": [row["label"]], "embedding": vectors.get((row["label"], own))}
        nodes[row["label"], own] = json.loads(row["properties"]) | stamp | more
    edges = {
        (row["type"], split_id(row["src"]), split_id(row["dst"])): json.loads(row["properties"])
        | stamp
        | {"type": row["type"]}
        for row in tables.tables["edges"].to_pylist()
    }
    return {"nodes": nodes, "edges": edges}


def assert_holds(store: GraphStore, tables: MemoryTables, release_id: str) -> None:
    got, want = content(store), expected(tables, release_id)
    assert got["edges"] == want["edges"]
    assert got["nodes"].keys() == want["nodes"].keys()
    for key, node in want["nodes"].items():
        assert got["nodes"][key] | {"embedding": 0} == node | {"embedding": 0}
        if node["embedding"] is None:
            assert got["nodes"][key]["embedding"] is None
        else:
            np.testing.assert_allclose(got["nodes"][key]["embedding"], node["embedding"], rtol=1e-6)


def test_constraints_are_made_once_and_hold(store: GraphStore) -> None:
    for _ in range(2):
        for statement in (*cypher.CONSTRAINTS, *cypher.LOOKUP_INDEXES):
            store.write(statement)
    store.write("CREATE (:Image {id: $id})", {"id": "same"})
    with pytest.raises(StoreError):
        store.write("CREATE (:Image {id: $id})", {"id": "same"})
    assert store.query("MATCH (n:Image) RETURN count(n) AS n") == [{"n": 1}]


def test_a_load_holds_every_node_edge_property_and_vector(store: GraphStore) -> None:
    tables = release()
    report = load(store, tables)
    assert_holds(store, tables, "r1")
    assert report.nodes == {"Concept": 40, "Image": 60, "Product": 60}
    assert report.edges == {"HAS_IMAGE": 60, "HAS_PROTOTYPE": 72, "IS_A": 39, "MENTIONS": 180}
    assert report.vectors == 100
    assert report.counts.nodes_created == 160
    assert report.counts.edges_created == 351


def test_loading_twice_changes_nothing(store: GraphStore) -> None:
    tables = release()
    load(store, tables)
    before = content(store)
    again = load(store, tables)
    assert again.skipped
    assert again.counts == WriteCounts()
    forced = load(store, tables, force=True)
    assert not forced.skipped
    changed = forced.counts
    assert (changed.nodes_created, changed.nodes_deleted, changed.edges_created, changed.edges_deleted) == (0, 0, 0, 0)
    assert content(store) == before


def test_a_load_mends_what_was_tampered_with(store: GraphStore) -> None:
    tables = release()
    load(store, tables)
    store.write("MATCH (n:Concept {id: $id}) DETACH DELETE n", {"id": f"{3:016x}"})
    assert not load(store, tables).skipped
    assert_holds(store, tables, "r1")


def test_what_a_new_release_lacks_is_gone_and_what_changed_is_new(store: GraphStore) -> None:
    load(store, release(products=60, concepts=40, seed=0), "r1")
    after = release(products=45, concepts=30, mentions=2, seed=5)
    planned = diff_release(store, after)
    load(store, after, "r2")
    assert_holds(store, after, "r2")
    assert planned.nodes_deleted == {"Concept": 10, "Image": 15, "Product": 15}
    assert planned.nodes_created == {"Concept": 0, "Image": 0, "Product": 0}
    assert planned.edges_deleted["IS_A"] == 10
    now = diff_release(store, after)
    assert sum((*now.nodes_created.values(), *now.nodes_deleted.values())) == 0
    assert sum((*now.edges_created.values(), *now.edges_deleted.values())) == 0


def test_a_property_that_is_gone_is_removed(store: GraphStore) -> None:
    tables = fashion()
    load(store, tables, dim=3)
    nodes = tables.tables["nodes"].to_pylist()
    for row in nodes:
        row["properties"] = json.dumps({key: v for key, v in json.loads(row["properties"]).items() if key != "title"})
    changed = MemoryTables(tables.tables | {"nodes": pa.Table.from_pylist(nodes, tables.tables["nodes"].schema)})
    load(store, changed, dim=3, force=True)
    assert store.query("MATCH (p:Product) WHERE p.title IS NOT NULL RETURN p.id AS id") == []


def test_example_queries_have_the_right_answers(store: GraphStore) -> None:
    load(store, fashion(), dim=3)
    for example in EXAMPLE_QUERIES:
        rows = store.query(example.cypher, PARAMETERS[example.name])
        answers = [tuple(value for key, value in row.items() if key != "score") for row in rows]
        if example.name == "connection":  # two ways are equally short
            assert [steps for _, steps in answers] == [2]
            assert answers[0][0][0::2] == ["blue shirt", "checked shirt"]
            assert answers[0][0][1] in ("shirt", "blue checked shirt")
        elif example.name == "search":  # scores differ between the stores
            assert sorted(answers) == sorted(ANSWERS["search"])
        else:
            assert answers == ANSWERS[example.name], example.name


def test_nearest_pictures_are_those_of_an_exact_search(store: GraphStore) -> None:
    tables = release(products=80, dim=16)
    load(store, tables, dim=16)
    rows = tables.tables["image_embeddings"].to_pylist()
    vectors = np.array([row["embedding"] for row in rows])
    hits = 0
    for i in range(0, 80, 8):
        query = {"index": "image_embedding", "k": 5, "vector": vectors[i].tolist()}
        found = store.query(cypher.NEAREST, query)
        assert found[0]["id"] == rows[i]["id"]
        assert found[0]["score"] == pytest.approx(1.0, abs=0.01)  # Neo4j keeps vectors in eight bits a number
        exact = {rows[j]["id"] for j in np.argsort(-(vectors @ vectors[i]))[:5]}
        hits += len(exact & {row["id"] for row in found})
    assert hits >= 45  # of 50: both stores search approximately


def test_nearest_concept_of_a_vector(store: GraphStore) -> None:
    load(store, fashion(), dim=3)
    query = {"index": "concept_embedding", "k": 1, "vector": [0.1, 0.0, 0.9]}
    assert [row["id"] for row in store.query(cypher.NEAREST, query)] == ["c5"]


def test_full_text_finds_words_whatever_their_case(store: GraphStore) -> None:
    load(store, fashion(), dim=3)
    found = store.query(cypher.SEARCH_CONCEPTS, {"words": "Jeans kurta", "limit": 10})
    assert {row["label"] for row in found} == {"jeans", "kurta"}


def test_values_come_back_as_plain_json(store: GraphStore) -> None:
    load(store, fashion(), dim=3)
    row = store.query(
        "MATCH way = (:Concept {id: 'c2'})-[e:IS_A]->(top:Concept) "
        "RETURN way, e, top, [top] AS tops, {a: top.n_products} AS map, 1.5 AS number, null AS nothing, true AS yes"
    )[0]
    assert json.loads(json.dumps(row)) == row
    top = {"id": "c1", "label": "shirt", "head_noun": "shirt", "modifiers": [], "n_mentions": 3, "n_products": 3,
           "run_id": "run", "release_id": "r1", "labels": ["Concept"]}  # fmt: skip
    assert row["top"] == top
    assert row["tops"] == [top]
    assert row["e"] == {"rule": "drop_modifier", "support": 1, "confidence": 0.1, "type": "IS_A",
                        "run_id": "run", "release_id": "r1"}  # fmt: skip
    assert [step.get("id", step.get("type")) for step in row["way"]] == ["c2", "IS_A", "c1"]
    assert (row["map"], row["number"], row["nothing"], row["yes"]) == ({"a": 3}, 1.5, None, True)


def test_properties_of_every_type_and_any_text_come_back(store: GraphStore) -> None:
    given = {
        "id": "x\"'`\\ \n ✓ 日本 👗",
        "whole": 2**53,
        "broken": 0.1,
        "yes": True,
        "texts": ["a", ""],
        "numbers": [1, 2],
    }
    store.write(cypher.MERGE_NODES["Product"], {"rows": [given]})
    assert store.query("MATCH (p:Product {id: $id}) RETURN properties(p) AS p", {"id": given["id"]}) == [{"p": given}]


def test_a_reading_statement_cannot_write(store: GraphStore) -> None:
    load(store, fashion(), dim=3)
    before = content(store)
    for statement in (
        "CREATE (:Product {id: 'new'})",
        "MATCH (n:Concept) SET n.label = ''",
        "MATCH (n) DETACH DELETE n",
    ):
        with pytest.raises(StoreError):
            store.query(statement)
    assert content(store) == before


def test_a_wrong_statement_says_what_is_wrong(store: GraphStore) -> None:
    with pytest.raises(StoreError, match=r"(?s)RETURN.*mend the statement"):
        store.query("MATCH (n RETURN n")
    with pytest.raises(StoreError, match=r"(?s)nobody.*mend the statement"):
        store.query("MATCH (n:Concept) RETURN nobody")


def test_colliding_transactions_are_repeated(store: GraphStore) -> None:
    store.write("CREATE (:Product {id: 'counter', count: 0})")
    failures: list[Exception] = []

    def add() -> None:
        try:
            for _ in range(10):
                store.write("MATCH (p:Product {id: 'counter'}) SET p.count = p.count + 1")
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.query("MATCH (p:Product) RETURN p.count AS n") == [{"n": 30}]


class InterruptedLoadError(Exception):
    """What stops a load in these tests."""


@pytest.mark.parametrize("stop_at", ["Concept", "Product", "IS_A"])
def test_an_interrupted_load_keeps_the_old_release_and_is_mended_by_the_next(store: GraphStore, stop_at: str) -> None:
    old, new = release(products=30, concepts=20), release(products=40, concepts=25, seed=3)
    load(store, old, "r1")

    def stop(name: str, done: int, _total: int) -> None:
        if name == stop_at and done >= 10:
            raise InterruptedLoadError

    with pytest.raises(InterruptedLoadError):
        load(store, new, "r2", on_progress=stop)
    kept = content(store)
    assert {("Product", f"{10_000 + i}") for i in range(30)} <= kept["nodes"].keys()
    assert expected(old, "r1")["edges"].keys() <= kept["edges"].keys()
    assert not load(store, new, "r2").skipped
    assert_holds(store, new, "r2")


def test_going_back_to_an_earlier_release(store: GraphStore) -> None:
    old, new = release(products=30, concepts=20), release(products=40, concepts=25, seed=3)
    load(store, old, "r1")
    load(store, new, "r2")
    load(store, old, "r1")
    assert_holds(store, old, "r1")


def test_vectors_of_another_length_replace_the_index(store: GraphStore) -> None:
    load(store, release(dim=8), "r1", dim=8)
    tables = release(dim=4)
    load(store, tables, "r2", dim=4)
    row = tables.tables["image_embeddings"].to_pylist()[7]
    found = store.query(cypher.NEAREST, {"index": "image_embedding", "k": 1, "vector": row["embedding"]})
    assert [hit["id"] for hit in found] == [row["id"]]


def test_an_edge_that_ends_nowhere_is_noticed(store: GraphStore) -> None:
    tables = fashion()
    edges = pa.concat_tables([tables.tables["edges"], tables.tables["edges"].slice(0, 1)])
    rows = edges.to_pylist()
    rows[-1]["dst"] = "concept:nowhere"
    broken = MemoryTables(tables.tables | {"edges": pa.Table.from_pylist(rows, edges.schema)})
    with pytest.raises(StoreError, match=r"edges [A-Z_]+ instead of"):
        load(store, broken, dim=3)


def test_progress_counts_every_row(store: GraphStore) -> None:
    seen: dict[str, list[tuple[int, int]]] = {}
    load(store, release(), on_progress=lambda name, done, total: seen.setdefault(name, []).append((done, total)))
    assert {name: steps[-1] for name, steps in seen.items()} == {
        "Concept": (40, 40), "Image": (60, 60), "Product": (60, 60),
        "HAS_IMAGE": (60, 60), "HAS_PROTOTYPE": (72, 72), "IS_A": (39, 39), "MENTIONS": (180, 180),
    }  # fmt: skip
    assert len(seen["Image"]) == 6  # vectors go by a quarter of the rows


def test_an_absent_database_is_named(store: GraphStore, request: pytest.FixtureRequest) -> None:
    from kgbuild.graph.neo4j_store import Neo4jStore

    server = getattr(store, "_server", None)
    with pytest.raises(StoreError, match="nosuchdatabase"):
        Neo4jStore(
            store.uri,  # type: ignore[attr-defined]
            user="root" if server else "neo4j", password=server.password if server else "", database="nosuchdatabase",
            retry_seconds=1,
        )  # fmt: skip


assert set(PARAMETERS) == set(ANSWERS) == {example.name for example in EXAMPLE_QUERIES}
