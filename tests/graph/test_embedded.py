"""The embedded store's own affairs: its process, its folder, its lock, and a kill in the middle of a load."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graph.synthetic import release
from kgbuild.config import StoreConfig
from kgbuild.errors import MissingExtraError, StoreError
from kgbuild.graph import cypher, load_release, open_store
from kgbuild.ports import GraphStore

needs_arcadedb = pytest.mark.skipif(
    importlib.util.find_spec("arcadedb_embedded") is None, reason="the extra 'embedded' is not installed"
)
CONFIG = StoreConfig(heap="512m")


def labels(store: GraphStore) -> dict[str, int]:
    return {label: store.query(f"MATCH (n:{label}) RETURN count(n) AS n")[0]["n"] for label in cypher.NODE_LABELS}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_end(pid: int, seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.1)
    return not alive(pid)


@needs_arcadedb
def test_a_store_killed_in_the_middle_of_a_load_keeps_the_old_release_and_takes_the_new_one_afterwards(
    tmp_path: Path,
) -> None:
    old, new = release(products=30, concepts=20), release(products=40, concepts=25, seed=3)
    with open_store(CONFIG, tmp_path) as store:
        load_release(store, old, run_id="a", release_id="r1", dim=8)
        pid = store._server.pid  # type: ignore[attr-defined]

        def kill(name: str, _done: int, _total: int) -> None:
            if name == "HAS_IMAGE":
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(StoreError, match=r"server\.log"):
            load_release(store, new, run_id="b", release_id="r2", dim=8, on_progress=kill)
    assert not alive(pid)
    with open_store(CONFIG, tmp_path) as store:
        assert labels(store) == {"Concept": 20, "Image": 30, "Product": 30}
        left = [path.name for path in (tmp_path / "root" / "databases").glob("kgbuild_*")]
        assert left == ["kgbuild_2"]  # what the kill left behind is gone
        assert load_release(store, old, run_id="c", release_id="r1", dim=8).skipped
        load_release(store, new, run_id="d", release_id="r2", dim=8)
        assert labels(store) == {"Concept": 25, "Image": 40, "Product": 40}
        # a second process must wait for the folder, and is told by whom it is held
        with (
            pytest.raises(StoreError, match=f"process {os.getpid()} uses"),
            open_store(CONFIG, tmp_path, lock_seconds=0.3),
        ):
            pass
        _refuses_a_wrong_password(store)
        pid = store._server.pid  # type: ignore[attr-defined]
    assert not alive(pid)
    assert not (tmp_path / "server.log").read_text().startswith("Traceback")


def _refuses_a_wrong_password(store: GraphStore) -> None:
    from kgbuild.graph.neo4j_store import Neo4jStore

    with pytest.raises(StoreError, match=r"(?s)refused user 'root'.*SHOP_PASSWORD"):
        Neo4jStore(store.uri, user="root", password="no", database="neo4j", password_env="SHOP_PASSWORD")  # type: ignore[attr-defined]


@needs_arcadedb
def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom kgbuild.graph.embedded import open_embedded\n"
        "with open_embedded(Path(sys.argv[1]), heap='512m') as store:\n"
        "    print(store._server.pid, flush=True)\n    time.sleep(300)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    assert await_end(pid)


@pytest.mark.parametrize("uri", ["bolt://127.0.0.1:1", "neo4j://127.0.0.1:1"])
def test_a_store_that_cannot_be_reached_is_named(uri: str, tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"(?s)127\.0\.0\.1:1 cannot be reached.*store\.uri"),
        open_store(StoreConfig(uri=uri), tmp_path),
    ):
        pass


def test_an_address_of_another_kind_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"store\.uri = 'postgres://host' is no address"),
        open_store(StoreConfig(uri="postgres://host"), tmp_path),
    ):
        pass


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"kgbuild\[embedded\]"), open_store(CONFIG, tmp_path):
        pass


@needs_arcadedb
@pytest.mark.parametrize("heap", ["much", "0g", "-1g", "2"])
def test_a_heap_that_java_would_not_take_is_refused(heap: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"store\.heap"), open_store(StoreConfig(heap=heap), tmp_path):
        pass


@needs_arcadedb
@pytest.mark.parametrize(
    "content", ["{", "[]", json.dumps({"database": "kgbuild_7"}), json.dumps({"database": "../x"})]
)
def test_a_damaged_folder_is_refused_with_the_way_out(content: str, tmp_path: Path) -> None:
    (tmp_path / "current.json").write_text(content)
    with pytest.raises(StoreError, match=r"(?s)current\.json.*again"), open_store(CONFIG, tmp_path):
        pass
