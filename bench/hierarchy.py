"""The is-a hierarchy of up to a million concepts: how it grows, beside networkx, and what an update costs.

    taskset -c 1 python -m bench.hierarchy [--release OUT/current] [--sizes 62500 ... 1000000] [--append]

Concepts are recombined from those of a release (or from made-up ones): heads and units drawn by Zipf's law or a real concept's
units, up to five; one unit in ten gets a word put before it, and its shorter form is said too; half of the concepts come with all
their broader ones, the others with half of them. Smaller sizes are the beginning of larger ones. Seconds are processor seconds of
one core, the best of seven; what is timed is the whole function, table in, table out. Each size is a process of its own for its
peak memory. networkx gets all is-a pairs of one or two steps to reduce; all must come to the same edges.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import combinations, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgbuild.hierarchy import build_hierarchy, closure, expand_hierarchy, transitive_reduction
from kgbuild.identity import concept_id
from kgbuild.tables import TABLES, in_order

COLOURS = ["blue", "navy blue", "light blue", "red", "white", "off white", "black", "green", "olive green", "grey"]
UNITS = [*COLOURS, "men", "women", "cotton", "leather", "print", "floral print", "check", "striped", "short sleeve"]
UNITS += ["long sleeve", "round neck", "v-neck", "slim", "casual", "formal", "pocket", "patch pocket", "ribbed cuff"]
UNITS += [f"detail{number}" for number in range(1000)]
MOST_UNITS = 5
ROUNDS = 7

Concept = tuple[str, frozenset[str]]


def real_concepts(release: Path | None) -> list[Concept]:
    """Those of a release, most products first; without one, made-up heads and units."""
    if release is None:
        units = [frozenset({unit}) for unit in UNITS]
        return [(f"head{number % 500}", units[number % len(units)]) for number in range(5000)]
    table = pq.read_table(release / "concepts.parquet")
    table = table.sort_by([("n_products", "descending"), ("concept_id", "ascending")])
    columns = table["head_noun"].to_pylist(), table["modifiers"].to_pylist()
    return [(head, frozenset(some)) for head, some in zip(*columns, strict=True)]


def recombined(real: list[Concept], seed: int = 0) -> Iterator[Concept]:
    """Concepts without end; some come again."""
    draw = np.random.default_rng(seed)
    heads, units = (
        list(dict.fromkeys(head for head, _ in real)),
        list(dict.fromkeys(u for _, some in real for u in sorted(some))),
    )
    words = [unit for unit in units if " " not in unit]

    def zipf(names: list[str], shape: tuple[int, ...]) -> Any:
        weights = 1 / np.arange(1, len(names) + 1)
        return np.array(names, object)[draw.choice(len(names), shape, p=weights / weights.sum())]

    while True:
        batch = 10_000
        drawn = zip(
            zipf(heads, (batch,)),
            zipf(units, (batch, MOST_UNITS)),
            zipf(words, (batch, MOST_UNITS)),
            draw.integers(0, MOST_UNITS + 1, batch),
            draw.integers(0, 2 * len(real), batch),
            draw.random((batch, MOST_UNITS)) < 0.1,
            draw.random((batch, 1 + 2**MOST_UNITS)) < 0.5,
            strict=True,
        )
        for head, some, before, size, place, longer, chances in drawn:
            also = sorted(real[place][1]) if place < len(real) else []
            plain = list(dict.fromkeys([*also, *some]))[:size]
            grown = [
                f"{word} {unit}" if grows and word not in unit.split() else unit
                for unit, word, grows in zip(plain, before, longer, strict=False)
            ]
            for phrase in dict.fromkeys([tuple(grown), tuple(plain)]):
                subsets = (frozenset(c) for n in range(len(phrase), -1, -1) for c in combinations(phrase, n))
                for number, subset in enumerate(subsets):
                    if number == 0 or chances[0] or chances[number]:
                        yield head, subset


def distinct_concepts(real: list[Concept], n: int) -> list[Concept]:
    found: dict[Concept, None] = {}
    source = recombined(real)
    while len(found) < n:
        found.update(dict.fromkeys(islice(source, n - len(found))))
    return list(found)


def concept_table(concepts: list[Concept]) -> pa.Table:
    sizes = [len(units) for _, units in concepts]
    columns = {
        "concept_id": [concept_id(head, units) for head, units in concepts],
        "label": [""] * len(concepts),
        "head_noun": [head for head, _ in concepts],
        "modifiers": [sorted(units) for _, units in concepts],
        "n_mentions": [1] * len(concepts),
        "n_products": [1 + MOST_UNITS - size for size in sizes],
    }
    return in_order(pa.table(columns, schema=TABLES["concepts"].schema), "concepts")


def write_tables(real: list[Concept], files: dict[int, Path]) -> None:
    concepts = distinct_concepts(real, max(files))
    for size, path in files.items():
        pq.write_table(concept_table(concepts[:size]), path)


def timed(work: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    """The best processor seconds of some rounds, and the result."""
    best = np.inf
    for _ in range(rounds):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result


def measure_build(path: Path) -> tuple[int, int, float, float, float, float]:
    """Concepts, edges, share of edges that generalise, processor seconds, seconds on the clock, peak GB."""
    pa.set_cpu_count(1)
    concepts = pq.read_table(path)
    build_hierarchy(concepts.slice(0, 1000))
    before = time.perf_counter()
    seconds, edges = timed(lambda: build_hierarchy(concepts))
    clock = (time.perf_counter() - before) / ROUNDS
    general = pc.mean(pc.equal(edges["rule"], "generalise_modifier")).as_py()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return concepts.num_rows, edges.num_rows, general, seconds, clock, peak


def measure_peer(path: Path) -> tuple[int, int, float, float, float, float]:
    """Concepts, edges to reduce, and processor seconds: networkx, our reduction of the same edges, building, closure."""
    pa.set_cpu_count(1)
    concepts = pq.read_table(path)
    build_s, edges = timed(lambda: build_hierarchy(concepts))
    closure_s, above = timed(lambda: closure(edges), 1)
    near = above.filter(pc.less_equal(above["depth"], 2))
    ours_s, reduced = timed(lambda: transitive_reduction(near), 1)
    graph = nx.DiGraph(list(edge_set(near)))
    networkx_s, theirs = timed(lambda: nx.transitive_reduction(graph), 1)
    assert edge_set(reduced) == set(theirs.edges) == edge_set(edges)
    return concepts.num_rows, near.num_rows, networkx_s, ours_s, build_s, closure_s


def measure_expand(path: Path) -> tuple[int, float, float, float]:
    """Concepts, and processor seconds: building, adding every hundredth concept, adding whole heads with 1 % of the concepts."""
    pa.set_cpu_count(1)
    concepts = pq.read_table(path)
    heads = concepts["head_noun"].to_numpy()
    names, sizes = np.unique(heads, return_counts=True)
    order = np.random.default_rng(0).permutation(len(names))
    some_heads = names[order][np.cumsum(sizes[order]) <= len(heads) // 100]
    spread = np.arange(len(heads)) % 100 == 0
    build_s, edges = timed(lambda: build_hierarchy(concepts))
    seconds = [build_s]
    for new in (spread, np.isin(heads, some_heads)):
        old = build_hierarchy(concepts.filter(pa.array(~new)))
        added = concepts["concept_id"].filter(pa.array(new)).to_pylist()
        expand_s, expanded = timed(partial(expand_hierarchy, old, concepts, added))
        assert expanded.equals(edges)
        seconds.append(expand_s)
    return (concepts.num_rows, *seconds)


def edge_set(edges: pa.Table) -> set[tuple[str, str]]:
    return set(zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True))


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """`work(*arguments)` in a fresh process: its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores (load {os.getloadavg()[0]:.0f})"


def report(files: dict[int, Path], peer_sizes: list[int], source: str) -> Iterator[str]:
    yield "## Is-a hierarchy (`taskset -c 1 python -m bench.hierarchy --release OUT/current --append`)"
    yield ""
    yield f"{machine()}, Python {platform.python_version()}, numpy {np.__version__}, networkx {nx.__version__}; one core."
    yield f"Processor seconds, best of {ROUNDS}; concepts recombined from {source}."
    yield ""
    yield "| concepts | is-a edges | that generalise | build s | clock s | peak GB |"
    yield "|---|---|---|---|---|---|"
    builds = [apart(measure_build, path) for path in files.values()]
    for n, n_edges, general, seconds, clock, peak in builds:
        yield f"| {n:,} | {n_edges:,} | {general:.1%} | {seconds:.2f} | {clock:.2f} | {peak:.2f} |"
    logs = np.log([[row[0], row[1], row[3]] for row in builds])
    yield ""
    if len(builds) > 1:
        by_concepts, by_edges = (np.polyfit(logs[:, column], logs[:, 2], 1)[0] for column in (0, 1))
        yield f"Growth exponent (least squares on the logarithms): {by_concepts:.2f} by concepts, {by_edges:.2f} by edges."
        yield ""
    yield "| concepts | edges to reduce | networkx s | reduction s | ratio | build from concepts s | ratio | closure s |"
    yield "|---|---|---|---|---|---|---|---|"
    for n, near, networkx_s, ours_s, build_s, closure_s in (apart(measure_peer, files[n]) for n in peer_sizes):
        ratios = f"{ours_s:.2f} | {networkx_s / ours_s:.1f} | {build_s:.2f} | {networkx_s / build_s:.1f}"
        yield f"| {n:,} | {near:,} | {networkx_s:.2f} | {ratios} | {closure_s:.2f} |"
    yield ""
    yield "| concepts | build s | expand by every hundredth concept s | expand by whole heads, 1 % of the concepts s |"
    yield "|---|---|---|---|"
    for n, *seconds in (apart(measure_expand, path) for path in files.values()):
        yield f"| {n:,} | {' | '.join(f'{one:.2f}' for one in seconds)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", type=Path, help="a release whose concepts are recombined")
    parser.add_argument("--sizes", type=int, nargs="+", default=[62_500, 125_000, 250_000, 500_000, 1_000_000])
    parser.add_argument("--peer-up-to", type=int, default=125_000, help="the largest size that networkx is given")
    parser.add_argument("--append", action="store_true", help="append the report to bench/RESULTS.md")
    arguments = parser.parse_args()
    real = real_concepts(arguments.release)
    source = f"{len(real):,} {'of a release' if arguments.release else 'made-up ones'}"
    with tempfile.TemporaryDirectory() as folder:
        files = {size: Path(folder, f"{size}.parquet") for size in sorted(arguments.sizes)}
        apart(write_tables, real, files)
        lines = []
        for line in report(files, [size for size in files if size <= arguments.peer_up_to], source):
            print(line, flush=True)
            lines.append(line)
    if arguments.append:
        results = Path(__file__).with_name("RESULTS.md")
        before = results.read_text("utf-8") if results.exists() else "# Benchmarks\n"
        results.write_text(before.rstrip() + "\n\n" + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
