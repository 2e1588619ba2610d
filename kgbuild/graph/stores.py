"""Which store a configuration asks for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from kgbuild.config import StoreConfig
from kgbuild.ports import GraphStore


@contextlib.contextmanager
def open_store(config: StoreConfig, folder: Path, *, lock_seconds: float = 30.0) -> Iterator[GraphStore]:
    """The store at `config.uri`, or without one the embedded store in `folder`, which is started now and stopped after the block.

    Args:
        config: the section `store`.
        folder: the embedded store's folder; not touched when there is a URI.
        lock_seconds: how long to wait while another process uses the embedded store.

    Raises:
        MissingExtraError: the driver or the embedded store is not installed.
        StoreError: the store cannot be reached, refuses the password, or is in use.
    """
    if not config.uri:
        from kgbuild.graph.embedded import open_embedded

        with open_embedded(folder, heap=config.heap, lock_seconds=lock_seconds) as embedded:
            yield embedded
        return
    from kgbuild.graph.neo4j_store import Neo4jStore

    store = Neo4jStore(
        config.uri,
        user=config.user,
        password=os.environ.get(config.password_env, ""),
        database=config.database,
        password_env=config.password_env,
    )
    try:
        yield store
    finally:
        store.close()
