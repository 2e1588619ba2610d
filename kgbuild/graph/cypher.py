"""All Cypher of the project, and the store-specific index statements beside it. Rows travel as `$rows`, never inside a statement.

Labels and relationship types cannot be parameters in Cypher, so the statements are made once for each of the closed set below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

NODE_LABELS: Final = ("Concept", "Image", "Product")
"""Labels of the graph, in the order they are loaded."""

EDGE_ENDS: Final[Mapping[str, tuple[str, str]]] = {
    "HAS_IMAGE": ("Product", "Image"),
    "HAS_PROTOTYPE": ("Concept", "Image"),
    "IS_A": ("Concept", "Concept"),
    "MENTIONS": ("Product", "Concept"),
}
"""Relationship types with the labels of their two ends."""

VECTOR_LABELS: Final[Mapping[str, str]] = {"Concept": "concept_embedding", "Image": "image_embedding"}
"""Labels whose nodes carry `embedding`, with the name of their vector index."""

FULLTEXT_INDEX: Final = "concept_label"

# -- constraints and plain indexes: the same text on both stores ------------------------------------------------------

CONSTRAINTS: Final = (
    *(
        f"CREATE CONSTRAINT {label.lower()}_id IF NOT EXISTS FOR (n:{label}) REQUIRE n.id IS UNIQUE"
        for label in NODE_LABELS
    ),
    "CREATE CONSTRAINT kgbuild_release_id IF NOT EXISTS FOR (n:KgbuildRelease) REQUIRE n.id IS UNIQUE",
)
LOOKUP_INDEXES: Final = ("CREATE INDEX product_by_brand IF NOT EXISTS FOR (n:Product) ON (n.brand)",)

# -- vector and full-text indexes: Neo4j's own statements -------------------------------------------------------------

NEO4J_VECTOR_INDEXES: Final[Mapping[str, str]] = {
    name: (
        f"CREATE VECTOR INDEX {name} IF NOT EXISTS FOR (n:{label}) ON n.embedding "
        "OPTIONS {indexConfig: {`vector.dimensions`: $dim, `vector.similarity_function`: 'cosine'}}"
    )
    for label, name in VECTOR_LABELS.items()
}
NEO4J_DROP_VECTOR_INDEXES: Final[Mapping[str, str]] = {
    name: f"DROP INDEX {name} IF EXISTS" for name in VECTOR_LABELS.values()
}
NEO4J_FULLTEXT_INDEX: Final = f"CREATE FULLTEXT INDEX {FULLTEXT_INDEX} IF NOT EXISTS FOR (n:Concept) ON EACH [n.label]"
# ArcadeDB has one index a property: there the full-text index stands alone on Concept.label.
NEO4J_LABEL_INDEX: Final = "CREATE INDEX concept_by_label IF NOT EXISTS FOR (n:Concept) ON (n.label)"
NEO4J_VECTOR_DIMENSIONS: Final = (
    "SHOW VECTOR INDEXES YIELD name, options RETURN name, options.indexConfig['vector.dimensions'] AS dim"
)
NEO4J_INDEX_STATES: Final = "SHOW INDEXES YIELD name, state, populationPercent RETURN name, state, populationPercent"

# -- the same in ArcadeDB's SQL, and the types it wants declared before -----------------------------------------------

ARCADE_TYPES: Final = (
    *(f"CREATE VERTEX TYPE {label} IF NOT EXISTS" for label in (*NODE_LABELS, "KgbuildRelease")),
    *(f"CREATE EDGE TYPE {kind} IF NOT EXISTS" for kind in EDGE_ENDS),
    *(f"CREATE PROPERTY {label}.embedding IF NOT EXISTS ARRAY_OF_FLOATS" for label in VECTOR_LABELS),
    "CREATE PROPERTY Concept.label IF NOT EXISTS STRING",
)
ARCADE_VECTOR_INDEXES: Final[Mapping[str, str]] = {
    name: (
        f"CREATE INDEX {name} IF NOT EXISTS ON {label} (embedding) LSM_VECTOR "
        'METADATA {"dimensions": $dim, "similarity": "COSINE", "maxConnections": 16, "beamWidth": 100}'
    )
    for label, name in VECTOR_LABELS.items()
}
"""ArcadeDB takes no parameter in METADATA: `$dim` is put in as a number by the embedded store.

Half of its default connections: 12,000 vectors took 5.6 s of processor time instead of 8.0 for a recall@10 of .986 instead of 1.0.
"""
ARCADE_FULLTEXT_INDEX: Final = f"CREATE INDEX {FULLTEXT_INDEX} IF NOT EXISTS ON Concept (label) FULL_TEXT"
ARCADE_DROP_INDEXES: Final = tuple(f"DROP INDEX {name} IF EXISTS" for name in (*VECTOR_LABELS.values(), FULLTEXT_INDEX))

# -- loading ----------------------------------------------------------------------------------------------------------

MERGE_NODES: Final[Mapping[str, str]] = {
    label: f"UNWIND $rows AS row MERGE (n:{label} {{id: row.id}}) SET n = row" for label in NODE_LABELS
}
"""`SET n = row` also removes the properties that a node no longer has."""

MERGE_EDGES: Final[Mapping[str, str]] = {
    kind: (
        f"UNWIND $rows AS row MATCH (a:{source} {{id: row.src}}) MATCH (b:{target} {{id: row.dst}}) "
        f"MERGE (a)-[r:{kind}]->(b) SET r = row.properties"
    )
    for kind, (source, target) in EDGE_ENDS.items()
}
PRUNE_EDGES: Final[Mapping[str, str]] = {
    kind: (f"MATCH (:{source})-[r:{kind}]->(:{target}) WHERE r.release_id <> $release_id WITH r LIMIT $limit DELETE r")
    for kind, (source, target) in EDGE_ENDS.items()
}
PRUNE_NODES: Final[Mapping[str, str]] = {
    label: f"MATCH (n:{label}) WHERE n.release_id <> $release_id WITH n LIMIT $limit DETACH DELETE n"
    for label in NODE_LABELS
}
COUNT_NODES: Final[Mapping[str, str]] = {
    label: f"MATCH (n:{label}) WHERE n.release_id = $release_id RETURN count(n) AS n" for label in NODE_LABELS
}
COUNT_EDGES: Final[Mapping[str, str]] = {
    kind: (f"MATCH (:{source})-[r:{kind}]->(:{target}) WHERE r.release_id = $release_id RETURN count(r) AS n")
    for kind, (source, target) in EDGE_ENDS.items()
}
COUNT_VECTORS: Final[Mapping[str, str]] = {
    label: (f"MATCH (n:{label}) WHERE n.release_id = $release_id AND n.embedding IS NOT NULL RETURN count(n) AS n")
    for label in VECTOR_LABELS
}
NODE_IDS: Final[Mapping[str, str]] = {
    label: f"MATCH (n:{label}) WHERE n.release_id IS NOT NULL RETURN n.id AS id" for label in NODE_LABELS
}
EDGE_IDS: Final[Mapping[str, str]] = {
    kind: (
        f"MATCH (a:{source})-[r:{kind}]->(b:{target}) WHERE r.release_id IS NOT NULL RETURN a.id AS src, b.id AS dst"
    )
    for kind, (source, target) in EDGE_ENDS.items()
}
READ_MARKER: Final = (
    "MATCH (m:KgbuildRelease {id: 'current'}) "
    "RETURN m.release_id AS release_id, m.run_id AS run_id, m.complete AS complete, m.dim AS dim"
)
WRITE_MARKER: Final = (
    "MERGE (m:KgbuildRelease {id: 'current'}) "
    "SET m.release_id = $release_id, m.run_id = $run_id, m.complete = $complete, m.dim = $dim"
)
ANY_EMBEDDING: Final[Mapping[str, str]] = {
    name: f"MATCH (n:{label}) WHERE n.embedding IS NOT NULL RETURN n.embedding AS embedding LIMIT 1"
    for label, name in VECTOR_LABELS.items()
}
NEAREST: Final = "CALL db.index.vector.queryNodes($index, $k, $vector) YIELD node, score RETURN node.id AS id, score"
SEARCH_CONCEPTS: Final = (
    "CALL db.index.fulltext.queryNodes('concept_label', $words) YIELD node, score "
    "RETURN node.id AS id, node.label AS label, score ORDER BY score DESC, id LIMIT $limit"
)


def schema_text() -> str:
    """What `schemas/graph.cypher` holds: the constraints and indexes, first as Neo4j gets them, then ArcadeDB's own."""
    neo4j = (*CONSTRAINTS, *LOOKUP_INDEXES, NEO4J_LABEL_INDEX, *NEO4J_VECTOR_INDEXES.values(), NEO4J_FULLTEXT_INDEX)
    arcade = (*ARCADE_TYPES, *ARCADE_VECTOR_INDEXES.values(), ARCADE_FULLTEXT_INDEX)
    return "\n".join(
        [
            "// Generated from kgbuild/graph/cypher.py; $dim is the length of an embedding.",
            *(f"{statement};" for statement in neo4j),
            "",
            "// The embedded ArcadeDB takes the constraints and plain indexes above as they are, and in its SQL:",
            *(f"// {statement};" for statement in arcade),
            "",
        ]
    )


# -- what a merchandiser or an engineer asks --------------------------------------------------------------------------
# Patterns start at what is known: ArcadeDB follows them as written.


@dataclass(frozen=True)
class ExampleQuery:
    """A query that one would really ask, with parameters that fit the catalogue of this project's own runs."""

    name: str
    question: str
    cypher: str
    parameters: Mapping[str, Any]


EXAMPLE_QUERIES: Final = (
    ExampleQuery(
        "below",
        "Which concepts sit below 'shirt', and how many products has each?",
        "MATCH (:Concept {label: $label})<-[:IS_A*1..8]-(c:Concept) "
        "WITH DISTINCT c RETURN c.label AS concept, c.n_products AS products "
        "ORDER BY products DESC, concept LIMIT 15",
        {"label": "shirt"},
    ),
    ExampleQuery(
        "broader",
        "What are the broader terms of a concept, nearest first?",
        "MATCH p = (:Concept {label: $label})-[:IS_A*1..8]->(b:Concept) "
        "WITH b, min(length(p)) AS steps RETURN b.label AS concept, steps, b.n_products AS products "
        "ORDER BY steps, products, concept",
        {"label": "short sleeve t-shirt"},
    ),
    ExampleQuery(
        "prototypes",
        "Which pictures stand for a concept, and of which products are they?",
        "MATCH (:Concept {label: $label})-[h:HAS_PROTOTYPE]->(i:Image) MATCH (i)<-[:HAS_IMAGE]-(p:Product) "
        "RETURN h.rank AS rank, i.uri AS uri, p.title AS product, h.relevance AS relevance ORDER BY rank",
        {"label": "shirt"},
    ),
    ExampleQuery(
        "similar_products",
        "Which products look most like the best picture of a concept?",
        "MATCH (:Concept {label: $label})-[:HAS_PROTOTYPE {rank: 0}]->(i:Image) "
        "CALL db.index.vector.queryNodes('image_embedding', $k, i.embedding) YIELD node, score "
        "MATCH (node)<-[:HAS_IMAGE]-(p:Product) "
        "RETURN p.id AS id, p.title AS product, score ORDER BY score DESC, id",
        {"label": "shirt", "k": 8},
    ),
    ExampleQuery(
        "search",
        "Which concepts have these words in their label?",
        "CALL db.index.fulltext.queryNodes('concept_label', $words) YIELD node, score "
        "RETURN node.label AS concept, node.n_products AS products, score "
        "ORDER BY score DESC, products DESC, concept LIMIT 10",
        {"words": "floral print"},
    ),
    ExampleQuery(
        "brand_voice",
        "What do the texts of a brand speak of that others' seldom do?",
        "MATCH (:Product {brand: $brand})-[:MENTIONS]->(c:Concept) WITH DISTINCT c "
        "MATCH (c)<-[:MENTIONS]-(p:Product) "
        "WITH c, count(p) AS all_products, sum(CASE WHEN p.brand = $brand THEN 1 ELSE 0 END) AS of_brand "
        "WHERE of_brand >= $at_least "
        "RETURN c.label AS concept, of_brand, all_products ORDER BY 1.0 * of_brand / all_products DESC, "
        "of_brand DESC, concept LIMIT 10",
        {"brand": "Puma", "at_least": 3},
    ),
    ExampleQuery(
        "together",
        "What else do texts about t-shirts speak of?",
        "MATCH (t:Concept {label: $label})<-[:IS_A*0..8]-(:Concept)<-[:MENTIONS]-(p:Product) WITH DISTINCT t, p "
        "MATCH (p)-[:MENTIONS]->(c:Concept) WHERE c.head_noun <> t.head_noun "
        "RETURN c.label AS concept, count(p) AS products ORDER BY products DESC, concept LIMIT 10",
        {"label": "t-shirt"},
    ),
    ExampleQuery(
        "in_common",
        "What have two products in common, the rarest first?",
        "MATCH (:Product {id: $first})-[:MENTIONS]->(:Concept)-[:IS_A*0..8]->(c:Concept) WITH DISTINCT c "
        "MATCH (c)<-[:IS_A*0..8]-(:Concept)<-[:MENTIONS]-(:Product {id: $second}) WITH DISTINCT c "
        "RETURN c.label AS concept, c.n_products AS products ORDER BY products, concept LIMIT 10",
        {"first": "15970", "second": "39386"},
    ),
    ExampleQuery(
        "without_pictures",
        "Which concepts have no picture yet, the most wanted first?",
        "MATCH (c:Concept) WHERE NOT (c)-[:HAS_PROTOTYPE]->(:Image) "
        "RETURN c.label AS concept, c.n_products AS products ORDER BY products DESC, concept LIMIT 10",
        {},
    ),
    ExampleQuery(
        "connection",
        "How are two concepts related: the shortest way between them over is-a?",
        "MATCH (a:Concept {label: $first}) MATCH (b:Concept {label: $second}) "
        "MATCH p = shortestPath((a)-[:IS_A*..10]-(b)) RETURN [n IN nodes(p) | n.label] AS way, length(p) AS steps",
        {"first": "blue shirt", "second": "check shirt"},
    ),
)
