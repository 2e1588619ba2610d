"""The embedded store: an ArcadeDB that kgbuild starts in a child process, speaks Bolt with, and stops again.

FOLDER/.lock          held by the process that uses the store; its id is in it
FOLDER/current.json   which database is in use; a new release is loaded into a new one, then this file is replaced
FOLDER/root/          ArcadeDB's own files
FOLDER/server.log     what the server wrote
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib.util
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kgbuild.errors import MissingExtraError, StoreError
from kgbuild.graph import cypher
from kgbuild.graph.neo4j_store import Neo4jStore
from kgbuild.ports import GraphStore

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 30.0
LOCK_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 10.0
_HEAP: Final = re.compile(r"[1-9][0-9]*[mMgG]")
_DATABASE: Final = re.compile(r"kgbuild_([0-9]+)")


class EmbeddedServer:
    """A running server process over one folder. `request` is answered in the order of calls, one at a time."""

    def __init__(self, folder: Path, *, heap: str) -> None:
        self.bolt_port, http_port = _free_ports()
        self.password = secrets.token_urlsafe(24)
        self.log = folder / "server.log"
        self._mutex = threading.Lock()
        # The password is new each time; ArcadeDB would keep the one of the first start.
        (folder / "root" / "config" / "server-users.jsonl").unlink(missing_ok=True)
        receive, send = os.pipe()
        try:
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", str(Path(__file__).with_name("embedded_server.py")), str(send)],
                    stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, cwd=folder, pass_fds=[send],
                    start_new_session=True,  # Ctrl-C is for us: we stop the server in order
                )  # fmt: skip
        finally:
            os.close(send)
        self._replies = os.fdopen(receive, encoding="utf-8")
        atexit.register(self.stop)
        settings = {
            "root": str((folder / "root").absolute()), "password": self.password, "heap": heap,
            "bolt_port": self.bolt_port, "http_port": http_port, "jvm_args": ["-XX:ErrorFile=java_error_%p.log"],
        }  # fmt: skip
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.start()
        try:
            self.request(settings)
        except BaseException:
            self.stop()
            raise
        finally:
            timer.cancel()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def request(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Send a request and wait for its answer; its rows, if it has any.

        Raises:
            StoreError: the server refused it, or has ended.
        """
        with self._mutex:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
                line = self._replies.readline()
            except (OSError, ValueError):  # a broken pipe, or one that was closed
                line = ""
        if not line:
            raise StoreError(f"the embedded store's process {self.pid} has ended", f"its log: {self.log}")
        answer = json.loads(line)
        if not answer["ok"]:
            raise StoreError(f"the embedded store refused: {answer['error']}", f"its log: {self.log}")
        return list(answer.get("rows", []))

    def stop(self) -> None:
        """Stop the server and wait until it is gone. Further calls do nothing."""
        atexit.unregister(self.stop)
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        for end in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                end()
        self._process.wait()
        self._replies.close()


class EmbeddedStore(Neo4jStore):
    """A `ports.GraphStore` over an embedded server. Made by `open_embedded`."""

    def __init__(self, server: EmbeddedServer, folder: Path, database: str) -> None:
        self._server = server
        self._folder = folder
        super().__init__(
            f"bolt://127.0.0.1:{server.bolt_port}",
            user="root",
            password=server.password,
            database=database,
            retry_seconds=RETRY_SECONDS,
        )

    def create_indexes(self, *, dim: int) -> None:
        """Make the vector indexes (cosine, of length `dim`) and the full-text index anew."""
        for statement in cypher.ARCADE_DROP_INDEXES:
            self._sql(statement)
        for statement in cypher.ARCADE_VECTOR_INDEXES.values():
            self._sql(statement.replace("$dim", str(int(dim))))
        self._sql(cypher.ARCADE_FULLTEXT_INDEX)

    @contextlib.contextmanager
    def aside(self) -> Iterator[GraphStore]:
        """A store over a new, empty database that takes the place of this one's when the block ends well, and is dropped when not."""
        before, after = self.database, _next_name(self.database)
        _create_database(self._server, after)
        try:
            store = EmbeddedStore(self._server, self._folder, after)
            try:
                yield store
            finally:
                store.close_driver()
            _write_current(self._folder, after)
        except BaseException:
            with contextlib.suppress(StoreError):  # a server that died leaves it to the next start
                self._server.request({"do": "drop", "database": after})
            raise
        self.database = after
        self._server.request({"do": "drop", "database": before})

    def close(self) -> None:
        """Close the connections and stop the server."""
        self.close_driver()
        self._server.stop()

    def close_driver(self) -> None:
        """Close the connections only."""
        super().close()

    def _sql(self, command: str) -> None:
        self._server.request({"do": "sql", "database": self.database, "command": command})

    def _unreachable_remedy(self) -> str:
        return f"the embedded server has ended or is out of memory (store.heap); its log: {self._server.log}"


@contextlib.contextmanager
def open_embedded(folder: Path, *, heap: str = "2g", lock_seconds: float = LOCK_SECONDS) -> Iterator[EmbeddedStore]:
    """The store in `folder`, made if it is not there; its server runs for as long as the block.

    Raises:
        MissingExtraError: `arcadedb-embedded` is not installed.
        StoreError: another process uses the folder for longer than `lock_seconds`, or the server does not start.
    """
    if importlib.util.find_spec("arcadedb_embedded") is None:
        raise MissingExtraError("arcadedb-embedded", "embedded")
    if not _HEAP.fullmatch(heap):
        raise StoreError(f"store.heap cannot be {heap!r}", "a number with m or g, for example 2g")
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, lock_seconds):
        database = _read_current(folder)
        _remove_others(folder, keep=database)
        server = EmbeddedServer(folder, heap=heap)
        try:
            if database is None:
                database = "kgbuild_1"
                _create_database(server, database)
                _write_current(folder, database)
            store = EmbeddedStore(server, folder, database)
        except BaseException:
            server.stop()
            raise
        try:
            yield store
        finally:
            store.close()


@contextlib.contextmanager
def _locked(folder: Path, seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    with (folder / ".lock").open("a+") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    handle.seek(0)
                    holder = handle.read().strip() or "?"
                    raise StoreError(
                        f"process {holder} uses the graph store in {folder}", "wait for it to end, or stop it"
                    ) from None
                time.sleep(0.2)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _create_database(server: EmbeddedServer, name: str) -> None:
    server.request({"do": "create", "database": name})
    for statement in cypher.ARCADE_TYPES:
        server.request({"do": "sql", "database": name, "command": statement})


def _next_name(name: str) -> str:
    match = _DATABASE.fullmatch(name)
    assert match is not None
    return f"kgbuild_{int(match[1]) + 1}"


def _read_current(folder: Path) -> str | None:
    """The database in use; None where there is none yet."""
    file = folder / "current.json"
    if not file.exists():
        return None
    try:
        name = str(json.loads(file.read_text())["database"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise StoreError(f"{file} is damaged: {error}", f"remove {folder} and load the release again") from error
    if not _DATABASE.fullmatch(name) or not (folder / "root" / "databases" / name).is_dir():
        raise StoreError(f"{file} names a database {name!r} that is not there", f"remove {folder} and load again")
    return name


def _write_current(folder: Path, name: str) -> None:
    temporary = folder / ".current.json.tmp"
    with temporary.open("w") as handle:
        json.dump({"database": name}, handle)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(folder / "current.json")


def _remove_others(folder: Path, *, keep: str | None) -> None:
    """Remove databases that a killed load left behind."""
    for path in (folder / "root" / "databases").glob("kgbuild_*"):
        if path.name != keep:
            shutil.rmtree(path)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return int(first.getsockname()[1]), int(second.getsockname()[1])
