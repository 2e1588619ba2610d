"""Both stores, opened once for all contract tests: an embedded one, and a real Neo4j where one can be had."""

from __future__ import annotations

import os
from collections.abc import Iterator

import neo4j_server
import pytest

from kgbuild.config import StoreConfig
from kgbuild.graph import open_store
from kgbuild.ports import GraphStore


@pytest.fixture(scope="session")
def neo4j_uri() -> Iterator[str]:
    """Address of a real Neo4j without authentication: KGBUILD_TEST_NEO4J_URI, or one that is started now."""
    given = os.environ.get("KGBUILD_TEST_NEO4J_URI", "")
    if given:
        yield given
        return
    reason = neo4j_server.missing()
    if reason:
        pytest.skip(f"KGBUILD_TEST_NEO4J_URI is not set, and no Neo4j can be started here: {reason}")
    with neo4j_server.neo4j_server() as uri:
        yield uri


@pytest.fixture(scope="session")
def opened_embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphStore]:
    pytest.importorskip("arcadedb_embedded", reason="the extra 'embedded' is not installed")
    with open_store(StoreConfig(heap="512m"), tmp_path_factory.mktemp("embedded")) as store:
        yield store


@pytest.fixture(scope="session")
def opened_neo4j(neo4j_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphStore]:
    with open_store(StoreConfig(uri=neo4j_uri), tmp_path_factory.mktemp("unused")) as store:
        yield store


@pytest.fixture(params=["embedded", pytest.param("neo4j", marks=pytest.mark.neo4j)])
def store(request: pytest.FixtureRequest) -> GraphStore:
    """An empty store."""
    opened: GraphStore = request.getfixturevalue(f"opened_{request.param}")
    while opened.write("MATCH (n) WITH n LIMIT 5000 DETACH DELETE n").nodes_deleted:
        pass
    return opened
