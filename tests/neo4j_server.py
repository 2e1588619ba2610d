"""A real Neo4j for tests, as a separate process that is only ever talked to over Bolt.

The server comes from Maven into a cache folder outside the repository, keyed by version, so that a second run needs no network.
`python -m tests.neo4j_server -- COMMAND ...` starts one, runs COMMAND with KGBUILD_TEST_NEO4J_URI set, stops it again and
exits with the command's status; without a command it prints the URI and serves until interrupted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

VERSION = "5.26.30"
_POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>kgbuild.tests</groupId><artifactId>neo4j-server</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{version}</version>
</dependency></dependencies></project>
"""
_CONF = """server.bolt.listen_address=127.0.0.1:{port}
server.bolt.advertised_address=127.0.0.1:{port}
server.http.enabled=false
server.https.enabled=false
dbms.security.auth_enabled={auth}
server.memory.pagecache.size=64m
dbms.usage_report.enabled=false
"""
_OPENS = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent", "java.lang")


def missing() -> str:
    """Why no server can be started here; empty when one can."""
    if jars_are_cached() and shutil.which("java"):
        return ""
    absent = [program for program in ("mvn", "java") if not shutil.which(program)]
    return f"no {' and no '.join(absent)} (Debian: maven, default-jdk-headless)" if absent else ""


def cache_folder() -> Path:
    """Where the jars of this version lie."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "kgbuild-tests" / f"neo4j-{VERSION}"


def jars_are_cached() -> bool:
    return (cache_folder() / "complete").exists()


def fetch_jars() -> Path:
    """The folder of jars, fetched by Maven on the first call; one process fetches, others wait."""
    folder = cache_folder()
    if jars_are_cached():
        return folder / "lib"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if jars_are_cached():
            return folder / "lib"
        (folder / "pom.xml").write_text(_POM.format(version=VERSION))
        goal = "dependency:copy-dependencies"
        subprocess.run(
            ["mvn", "-q", "-B", goal, "-DincludeScope=runtime", f"-DoutputDirectory={folder / 'lib'}"],
            cwd=folder, check=True, timeout=600,
        )  # fmt: skip
        (folder / "complete").write_text(VERSION)
    return folder / "lib"


@contextlib.contextmanager
def neo4j_server(*, password: str = "") -> Iterator[str]:
    """A fresh Neo4j on a free port of 127.0.0.1; its Bolt URI. With a password, authentication is on (user neo4j)."""
    lib = fetch_jars()
    home = Path(tempfile.mkdtemp(prefix="kgbuild-neo4j-"))
    port = _free_port()
    (home / "conf").mkdir()
    (home / "conf" / "neo4j.conf").write_text(_CONF.format(port=port, auth="true" if password else "false"))
    if password:
        subprocess.run(
            [*_java(lib), "org.neo4j.server.startup.Neo4jAdminCommand", "dbms", "set-initial-password", password],
            env={**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")},
            check=True, timeout=120, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    entry = ["org.neo4j.server.CommunityEntryPoint", f"--home-dir={home}", f"--config-dir={home / 'conf'}"]
    with (home / "server.out").open("wb") as log:
        process = subprocess.Popen(
            [*_java(lib), *entry, "--console-mode"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )  # fmt: skip
    try:
        _await_bolt(process, port, home / "server.out")
        yield f"bolt://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _java(lib: Path) -> list[str]:
    opens = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENS]
    return ["java", "-Xms256m", "-Xmx1g", *opens, "-cp", f"{lib}/*"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_bolt(process: subprocess.Popen[bytes], port: int, log: Path, seconds: float = 120) -> None:
    """Wait until the port answers the Bolt handshake."""
    hello = bytes.fromhex("6060b017") + bytes.fromhex("00000405") + bytes(12)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"Neo4j ended with {process.returncode}: {log.read_text()[-2000:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as bolt:
            bolt.sendall(hello)
            if len(bolt.recv(4)) == 4:
                return
        time.sleep(0.3)
    raise RuntimeError(f"Neo4j did not answer within {seconds} s: {log.read_text()[-2000:]}")


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    reason = missing()
    if reason:
        print(reason, file=sys.stderr)
        return 2
    with neo4j_server() as uri:
        if command:
            return subprocess.run(command, env={**os.environ, "KGBUILD_TEST_NEO4J_URI": uri}).returncode
        print(uri, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
