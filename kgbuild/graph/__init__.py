"""The graph: nodes and edges as a view of a release, and the store that they are loaded into.

`build_view` makes the tables `nodes` and `edges` (in parts: `view_nodes`, `view_edges`); `open_store` gives a store by its
configuration, a Neo4j at a URI or the embedded one; `load_release` makes a store hold a release and `diff_release` says what that
would change. All statements stand in `cypher.py`, the Neo4j driver is imported in `neo4j_store.py` only, and nothing here imports it
before a store is opened.
"""

from kgbuild.graph.cypher import EXAMPLE_QUERIES, ExampleQuery
from kgbuild.graph.load import GraphDiff, LoadReport, TableSource, diff_release, load_release
from kgbuild.graph.stores import open_store
from kgbuild.graph.view import build_view, check_ends, view_edges, view_nodes

__all__ = [
    "EXAMPLE_QUERIES",
    "ExampleQuery",
    "GraphDiff",
    "LoadReport",
    "TableSource",
    "build_view",
    "check_ends",
    "diff_release",
    "load_release",
    "open_store",
    "view_edges",
    "view_nodes",
]
