"""`schemas/graph.cypher` is what `kgbuild/graph/cypher.py` says."""

from __future__ import annotations

from pathlib import Path

from kgbuild.graph import cypher

SCHEMA = Path(__file__).parents[2] / "schemas" / "graph.cypher"


def test_the_schema_file_is_that_of_the_code() -> None:
    assert SCHEMA.read_text("utf-8") == cypher.schema_text(), (
        'run: python -c "from kgbuild.graph.cypher import schema_text as s; print(s(), end=str())" > schemas/graph.cypher'
    )


def test_every_label_and_type_of_the_graph_is_in_it() -> None:
    text = SCHEMA.read_text("utf-8")
    for name in (*cypher.NODE_LABELS, *cypher.EDGE_ENDS, *cypher.VECTOR_LABELS.values(), cypher.FULLTEXT_INDEX):
        assert name in text
