"""What a load refuses before it asks a store anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.fashion import fashion
from graph.synthetic import MemoryTables
from kgbuild.errors import TableError
from kgbuild.graph import load

STAMP = {"run_id": "run", "release_id": "r1"}


def vectors(ids: list[str]) -> pa.Table:
    return pa.table({"id": ids, "embedding": [[float(len(name))] for name in ids]})


@given(st.sets(st.text(max_size=5)), st.sets(st.text(max_size=5)), st.integers(1, 9))
def test_vectors_join_their_nodes_whatever_the_pieces(nodes: set[str], without: set[str], rows: int) -> None:
    have = sorted(nodes - without)
    source = load._Vectors(MemoryTables({"image_embeddings": vectors(have)}, piece_rows=rows), "image_embeddings")
    joined = {node: source.of(node) for node in sorted(nodes)}
    source.check_used_up()
    assert joined == {node: [float(len(node))] if node in have else None for node in nodes}


@pytest.mark.parametrize("ids", [["i0"], ["i9"], ["i2", "i1"]])
def test_an_embedding_of_no_node_or_out_of_order_is_refused(ids: list[str]) -> None:
    tables = MemoryTables(fashion().tables | {"image_embeddings": vectors(ids)})
    with pytest.raises(TableError, match="image_embeddings"):
        list(load._node_rows(tables, "Image", STAMP))


def test_an_unknown_label_is_refused() -> None:
    tables = fashion().tables
    nodes = tables["nodes"].set_column(1, "label", pa.array(["Brand"] * tables["nodes"].num_rows))
    with pytest.raises(TableError, match="unknown label 'Brand'"):
        load.count_rows(MemoryTables(tables | {"nodes": nodes}))


@given(st.integers(0, 30), st.integers(1, 12))
def test_chunks_hold_every_row_once(count: int, size: int) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from ({"n": i} for i in range(count))

    chunks = list(load._chunks(rows(), size))
    assert [row["n"] for chunk in chunks for row in chunk] == list(range(count))
    assert all(len(chunk) == size for chunk in chunks[:-1])


@pytest.mark.parametrize(("dim", "rows"), [(256, 500), (1152, 500), (4096, 217)])
def test_rows_with_vectors_stay_below_the_largest_message(dim: int, rows: int) -> None:
    assert (
        load._Load(
            fashion(), load._Stamp("run", "r1"), dim, 2000, load.count_rows(fashion()), load._silent
        )._vector_rows
        == rows
    )
