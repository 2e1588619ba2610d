"""Transitive reduction and building of the is-a hierarchy beside networkx, on recombined concepts.

    python bench/hierarchy.py [--sizes 10000 30000 100000] [--append]

Concepts are random sets of common units on random heads, closed under dropping a unit as mined concepts nearly are. The edges to
reduce are all is-a pairs of one or two steps, so about half of them are superfluous. Times are processor seconds of one core; both
reductions must give the same edges, and the same as building the hierarchy from the concepts does.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx as nx
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.hierarchy import build_hierarchy, closure, expand_hierarchy, transitive_reduction
from kgbuild.identity import concept_id
from kgbuild.tables import TABLES

COLOURS = ["blue", "navy blue", "light blue", "red", "white", "off white", "black", "green", "olive green", "grey"]
UNITS = [*COLOURS, "men", "women", "cotton", "leather", "print", "floral print", "check", "striped", "short sleeve"]
UNITS += ["long sleeve", "round neck", "v-neck", "slim", "casual", "formal", "pocket", "patch pocket", "ribbed cuff"]
UNITS += [f"detail {number}" for number in range(40)]


def recombined(n: int, seed: int = 0) -> pa.Table:
    """At least `n` concepts of up to four units; common units are drawn more often."""
    draw = random.Random(seed)
    weights = [1 / (place + 1) for place in range(len(UNITS))]
    chosen: set[tuple[str, frozenset[str]]] = set()
    while len(chosen) < n:
        head = f"head{int(draw.paretovariate(0.6)) % 500}"
        units = set(draw.choices(UNITS, weights, k=draw.randint(1, 4)))
        chosen.update((head, frozenset(some)) for size in range(5) for some in combinations(sorted(units), size))
    rows = [
        {"concept_id": concept_id(head, units), "label": "", "head_noun": head, "modifiers": sorted(units)}
        | {"n_mentions": 1, "n_products": 1}
        for head, units in sorted(chosen, key=lambda one: (one[0], sorted(one[1])))
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["concepts"].schema)


def machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores (shared)"


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def edge_set(edges: pa.Table) -> set[tuple[str, str]]:
    return set(zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True))


def measure(n: int) -> str:
    concepts = recombined(n)
    build_s, edges = timed(lambda: build_hierarchy(concepts))
    closure_s, above = timed(lambda: closure(edges))
    near = above.filter(pc.less_equal(above["depth"], 2))
    ours_s, reduced = timed(lambda: transitive_reduction(near))
    graph = nx.DiGraph(list(edge_set(near)))
    networkx_s, theirs = timed(lambda: nx.transitive_reduction(graph))
    assert edge_set(reduced) == set(theirs.edges) == edge_set(edges)
    added = set(concepts["concept_id"].to_pylist()[::100])
    is_old = pc.invert(pc.is_in(concepts["concept_id"], pa.array(sorted(added))))
    old = build_hierarchy(concepts.filter(is_old))
    expand_s, expanded = timed(lambda: expand_hierarchy(old, concepts, added))
    assert expanded.equals(edges)
    cells = [
        f"{concepts.num_rows:,}",
        f"{edges.num_rows:,}",
        f"{near.num_rows:,}",
        f"{ours_s:.2f}",
        f"{networkx_s:.2f}",
    ]
    return f"| {' | '.join([*cells, f'{build_s:.2f}', f'{closure_s:.2f}', f'{expand_s:.2f}'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--append", action="store_true", help="append the table to bench/RESULTS.md")
    arguments = parser.parse_args()
    lines = [
        "## Is-a hierarchy (`python bench/hierarchy.py --append`)",
        "",
        f"{machine()}, Python {platform.python_version()}, networkx {nx.__version__}; processor seconds, one core.",
        "",
        "| concepts | is-a edges | edges to reduce | reduction | networkx | build from concepts | closure | expand by 1 % |",
        "|---|---|---|---|---|---|---|---|",
        *(measure(n) for n in arguments.sizes),
    ]
    print("\n".join(lines))
    if arguments.append:
        results = Path(__file__).with_name("RESULTS.md")
        before = results.read_text("utf-8") if results.exists() else "# Benchmarks\n"
        results.write_text(before.rstrip() + "\n\n" + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
