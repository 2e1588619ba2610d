"""How long a release of the catalogue's size takes to load: the embedded store and a real Neo4j, the same rows.

    python -m bench.graph_load [--products 36781] [--concepts 30000] [--dim 256] [--stores embedded,neo4j]

Neo4j is fetched and started as the tests do it (`tests/neo4j_server.py`), or taken from KGBUILD_TEST_NEO4J_URI.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kgbuild.config import StoreConfig
from kgbuild.graph import EXAMPLE_QUERIES, load_release, open_store
from kgbuild.ports import GraphStore
from tests.graph.synthetic import MemoryTables, release
from tests.neo4j_server import neo4j_server


@contextlib.contextmanager
def opened(name: str, heap: str, folder: Path) -> Iterator[GraphStore]:
    with contextlib.ExitStack() as stack:
        given = os.environ.get("KGBUILD_TEST_NEO4J_URI", "")
        uri = "" if name == "embedded" else given or stack.enter_context(neo4j_server())
        yield stack.enter_context(open_store(StoreConfig(uri=uri, heap=heap), folder))


class Clock:
    """Seconds spent on each kind of row."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[int, float]] = {}
        self._last = time.perf_counter()

    def __call__(self, name: str, done: int, _total: int) -> None:
        now = time.perf_counter()
        self.seconds[name] = (done, self.seconds.get(name, (0, 0.0))[1] + now - self._last)
        self._last = now


def store_cpu(store: GraphStore) -> float:
    """Processor seconds of the embedded server so far; 0 where the store is a server of its own."""
    server = getattr(store, "_server", None)
    if server is None:
        return 0.0
    ticks = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def measure(name: str, tables: MemoryTables, arguments: argparse.Namespace, folder: Path) -> None:
    with opened(name, arguments.heap, folder) as store:
        for what, release_id, force in (
            ("first", "r1", False),
            ("again", "r1", False),
            ("forced", "r1", True),
            ("next", "r2", False),
        ):
            if what not in arguments.loads.split(","):
                continue
            clock = Clock()
            cpu, served = resource.getrusage(resource.RUSAGE_SELF).ru_utime, store_cpu(store)
            report = load_release(
                store, tables, run_id="bench", release_id=release_id, dim=arguments.dim, force=force,
                rows_per_transaction=arguments.rows, on_progress=clock,
            )  # fmt: skip
            cpu = resource.getrusage(resource.RUSAGE_SELF).ru_utime - cpu
            served = store_cpu(store) - served
            rates = ", ".join(
                f"{kind} {rows} in {s:.1f} s ({rows / s:.0f}/s)" for kind, (rows, s) in clock.seconds.items()
            )
            rest = report.seconds - sum(s for _, s in clock.seconds.values())
            print(
                f"| {name} | {what} | {report.seconds:.1f} | {cpu:.1f} | {served:.1f} | {rates} | {rest:.1f} | {report.counts} |",
                flush=True,
            )
        for example in EXAMPLE_QUERIES:
            start = time.perf_counter()
            rows = store.query(example.cypher, example.parameters)
            print(
                f"  {name} {example.name}: {len(rows)} rows in {1000 * (time.perf_counter() - start):.1f} ms",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=36_781)
    parser.add_argument("--concepts", type=int, default=30_000)
    parser.add_argument("--mentions", type=int, default=4)
    parser.add_argument("--prototypes", type=int, default=4)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--rows", type=int, default=StoreConfig().rows_per_transaction)
    parser.add_argument("--heap", default=StoreConfig().heap)
    parser.add_argument("--stores", default="embedded,neo4j")
    parser.add_argument("--loads", default="first,again,forced,next")
    arguments = parser.parse_args()
    tables = release(
        products=arguments.products, concepts=arguments.concepts, mentions=arguments.mentions,
        prototypes=arguments.prototypes, dim=arguments.dim,
    )  # fmt: skip
    print({name: table.num_rows for name, table in tables.tables.items()})
    print("| store | load | seconds | CPU here | CPU of the store | rows | indexes, pruning, counts | changed |")
    for name in arguments.stores.split(","):
        with tempfile.TemporaryDirectory(prefix="kgbuild-bench-") as folder:
            measure(name, tables, arguments, Path(folder))


if __name__ == "__main__":
    main()
