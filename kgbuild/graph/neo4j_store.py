"""A graph store behind Bolt: the only file that imports the Neo4j driver. It talks to Neo4j and to the embedded ArcadeDB alike.

Only managed transactions are used: the driver repeats them on transient failures, and ArcadeDB's autocommit would deadlock itself.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kgbuild.errors import MissingExtraError, StoreError
from kgbuild.graph import cypher
from kgbuild.ports import Row, WriteCounts

try:
    import neo4j
    from neo4j.exceptions import (
        AuthError,
        ClientError,
        ConfigurationError,
        DriverError,
        Neo4jError,
        ServiceUnavailable,
        SessionExpired,
    )
except ModuleNotFoundError as error:
    raise MissingExtraError("neo4j", "graph") from error

CONNECTION_SECONDS: Final = 10.0
TRANSACTION_SECONDS: Final = 600.0
INDEX_STALL_SECONDS: Final = 600.0
"""An index that fills without a step forward for so long is given up."""

# Neo4j remarks on every label that a statement names and the database lacks: no news to whoever has just made the database.
logging.getLogger("neo4j.notifications").setLevel(logging.ERROR)


class Neo4jStore:
    """A `ports.GraphStore` at a Bolt address.

    Args:
        uri: bolt://, neo4j:// or neo4j+s:// address.
        user: user name.
        password: its password.
        database: database name.
        password_env: the environment variable that the password came from, for messages.
        retry_seconds: how long the driver repeats a transaction that failed for a passing reason.

    Raises:
        StoreError: the address cannot be reached, the password is wrong, or the database does not exist.
    """

    def __init__(
        self,
        uri: str,
        *,
        user: str,
        password: str,
        database: str,
        password_env: str = "NEO4J_PASSWORD",  # noqa: S107 (a variable's name)
        retry_seconds: float = 30.0,
    ) -> None:
        self.uri = uri
        self.database = database
        self._user = user
        self._password_env = password_env
        with self._errors("connecting"):
            self._driver = neo4j.GraphDatabase.driver(
                uri,
                auth=(user, password),
                connection_timeout=CONNECTION_SECONDS,
                connection_acquisition_timeout=4 * CONNECTION_SECONDS,
                max_transaction_retry_time=retry_seconds,
            )
        try:
            with self._errors("connecting"):
                self._driver.verify_connectivity()  # fails at once where a query would be repeated
            self.query("RETURN 1 AS one")  # the database
        except StoreError:
            self._driver.close()
            raise

    def query(self, cypher: str, parameters: Row | None = None) -> list[dict[str, Any]]:
        """Run a reading statement in a managed transaction; one dict of plain JSON values a row.

        A node becomes its properties (less `embedding`) and `labels`, a relationship its properties and `type`, a path the list of
        its nodes and relationships in turn.

        Raises:
            StoreError: the statement is wrong, or writes.
        """

        @neo4j.unit_of_work(timeout=TRANSACTION_SECONDS)
        def work(transaction: neo4j.ManagedTransaction) -> list[dict[str, Any]]:
            result = transaction.run(cypher, dict(parameters or {}))
            rows = [{key: _plain(value) for key, value in record.items()} for record in result]
            # ArcadeDB does not enforce read access; raising here rolls back what the statement wrote.
            if result.consume().counters.contains_updates:
                raise StoreError(
                    "a reading statement tried to write; nothing was changed", "write through kgbuild load"
                )
            return rows

        with self._errors("a query"), self._session() as session:
            return session.execute_read(work)

    def write(self, cypher: str, parameters: Row | None = None) -> WriteCounts:
        """Run a writing statement in a managed transaction, repeated by the driver on transient failures.

        Raises:
            StoreError: the store refused it.
        """

        @neo4j.unit_of_work(timeout=TRANSACTION_SECONDS)
        def work(transaction: neo4j.ManagedTransaction) -> WriteCounts:
            counters = transaction.run(cypher, dict(parameters or {})).consume().counters
            return WriteCounts(
                counters.nodes_created,
                counters.nodes_deleted,
                counters.relationships_created,
                counters.relationships_deleted,
                counters.properties_set,
            )

        with self._errors("a write"), self._session() as session:
            return session.execute_write(work)

    def create_indexes(self, *, dim: int) -> None:
        """Make the vector indexes (cosine, of length `dim`) and the full-text index, and wait for them.

        A vector index of another length is replaced.
        """
        lengths = {row["name"]: row["dim"] for row in self.query(cypher.NEO4J_VECTOR_DIMENSIONS)}
        for name, statement in cypher.NEO4J_VECTOR_INDEXES.items():
            if lengths.get(name, dim) != dim:
                self.write(cypher.NEO4J_DROP_VECTOR_INDEXES[name])
            self.write(statement, {"dim": dim})
        self.write(cypher.NEO4J_LABEL_INDEX)
        self.write(cypher.NEO4J_FULLTEXT_INDEX)
        self._await_indexes()

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()

    def _await_indexes(self) -> None:
        wanted = {*cypher.VECTOR_LABELS.values(), cypher.FULLTEXT_INDEX}
        progress, end = -1.0, 0.0
        while True:
            rows = [row for row in self.query(cypher.NEO4J_INDEX_STATES) if row["name"] in wanted]
            waiting = {row["name"]: row["state"] for row in rows if row["state"] != "ONLINE"}
            if len(rows) == len(wanted) and not waiting:
                return
            done = sum(row["populationPercent"] for row in rows)
            if done > progress:
                progress, end = done, time.monotonic() + INDEX_STALL_SECONDS
            if "FAILED" in waiting.values() or time.monotonic() > end:
                raise StoreError(f"indexes are not ready: {waiting or sorted(wanted)}", "see Neo4j's log")
            time.sleep(0.2)

    def _session(self) -> neo4j.Session:
        return self._driver.session(database=self.database)

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turn the driver's errors into a StoreError with the way out."""
        try:
            yield
        except AuthError as error:
            raise StoreError(
                f"{self.uri} refused user {self._user!r}: {error.message}",
                f"put the password into the environment variable {self._password_env}, or set store.user",
            ) from error
        except (ServiceUnavailable, SessionExpired) as error:
            raise StoreError(
                f"the graph store at {self.uri} cannot be reached: {error}", self._unreachable_remedy()
            ) from error
        except (ConfigurationError, ValueError) as error:
            raise StoreError(
                f"store.uri = {self.uri!r} is no address of a graph store: {error}",
                "for example: bolt://127.0.0.1:7687",
            ) from error
        except Neo4jError as error:
            raise StoreError(f"{doing} was refused by {self.uri}: {error.message}", self._remedy(error)) from error
        except DriverError as error:
            raise StoreError(f"{doing} failed at {self.uri}: {error}", self._unreachable_remedy()) from error

    def _unreachable_remedy(self) -> str:
        return "start it, mend store.uri, or leave store.uri empty for the embedded store"

    def _remedy(self, error: Neo4jError) -> str:
        code = error.code or ""
        if "DatabaseNotFound" in code:
            return f"set store.database to one that exists (it is {self.database!r}), or create it"
        if "ReadOnly" in code or "AccessMode" in code:
            return "queries only read; kgbuild load writes"
        if isinstance(error, ClientError):
            return "mend the statement or its parameters"
        return f"see the store's log ({code})"


def _plain(value: Any) -> Any:
    """A driver's value as plain JSON types."""
    if isinstance(value, neo4j.graph.Node):
        return {key: _plain(item) for key, item in value.items() if key != "embedding"} | {
            "labels": sorted(value.labels)
        }
    if isinstance(value, neo4j.graph.Relationship):
        return {key: _plain(item) for key, item in value.items()} | {"type": value.type}
    if isinstance(value, neo4j.graph.Path):
        steps: list[Any] = [_plain(value.start_node)]
        for relationship, node in zip(value.relationships, value.nodes[1:], strict=True):
            steps += [_plain(relationship), _plain(node)]
        return steps
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):  # spatial points are tuples
        return [_plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.iso_format() if hasattr(value, "iso_format") else value
