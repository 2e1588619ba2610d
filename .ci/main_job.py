"""The main job as a user runs it, on a real catalogue: build, ask, load again, build again, expand; and what came out is checked."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

KGBUILD = str(Path(sys.executable).with_name("kgbuild"))
TABLES = (
    "products", "texts", "images", "pictures", "mentions", "concepts", "product_concepts", "is_a_edges", "image_embeddings",
    "concept_embeddings", "candidate_pools", "prototypes", "batch_plan", "nodes", "edges", "rejects",
)  # fmt: skip


def main(catalogue: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = folder / "whole"
        built = build(catalogue, whole)
        check_tables(whole, pq.read_metadata(catalogue).num_rows)
        ask(whole)
        load_again(whole)
        build_again(catalogue, whole, built["release"])
        expand_equals_build(catalogue, whole, folder)
    sys.stdout.write("main job: all checks hold\n")


def build(catalogue: Path, out: Path, *options: str) -> dict:
    began = time.monotonic()
    report = kgbuild("build", str(catalogue), "--out", str(out), "--json", *options)
    for stage in report["stages"]:
        sys.stdout.write(f"  {stage['stage']:<19} {stage['how']:<10} {stage['seconds']:>7.1f} s  {stage['rows']}\n")
    sys.stdout.write(f"  rejects {report['rejects']}; {time.monotonic() - began:.0f} s with loading\n")
    return report


def check_tables(out: Path, n_rows: int) -> None:
    rows = {name: pq.read_table(out / "current" / f"{name}.parquet").num_rows for name in TABLES}
    expect(rows["products"] + 20 >= n_rows, f"almost all of {n_rows} rows become products: {rows['products']}")
    expect(rows["mentions"] > 2 * rows["products"], f"mentions: {rows['mentions']}")
    expect(rows["concepts"] > 500, f"concepts: {rows['concepts']}")
    expect(rows["is_a_edges"] > 500, f"is-a edges: {rows['is_a_edges']}")
    expect(rows["prototypes"] > rows["concepts"], f"prototypes: {rows['prototypes']}")
    concepts = pq.read_table(out / "current" / "concepts.parquet")
    by_label = dict(zip(concepts["label"].to_pylist(), concepts["n_products"].to_pylist(), strict=True))
    expect(by_label.get("t-shirt", 0) > 100, f"t-shirt is a concept of many products: {by_label.get('t-shirt')}")


def ask(out: Path) -> None:
    statement = (
        "MATCH (c:Concept {label: $label})<-[:IS_A*1..3]-(n:Concept) "
        "RETURN DISTINCT n.label AS label, n.n_products AS products ORDER BY products DESC, label LIMIT 5"
    )
    rows = lines("query", statement, "--param", "label=t-shirt", "--out", str(out), "--json")
    expect(len(rows) == 5 and all(row["products"] > 0 for row in rows), f"narrower than t-shirt: {rows}")
    pictures = lines(
        "query",
        "MATCH (c:Concept {label: 't-shirt'})-[p:HAS_PROTOTYPE]->(i:Image)<-[:HAS_IMAGE]-(x:Product) "
        "RETURN x.title AS title, p.rank AS rank ORDER BY rank",
        "--out", str(out), "--json",
    )  # fmt: skip
    expect(len(pictures) >= 3, f"prototypes of t-shirt: {pictures}")


def load_again(out: Path) -> None:
    report = kgbuild("load", "--out", str(out), "--force", "--json")
    touched = {key: report[key] for key in ("nodes_created", "nodes_deleted", "edges_created", "edges_deleted")}
    expect(not any(touched.values()), f"loading twice changes nothing: {touched}")


def build_again(catalogue: Path, out: Path, release: str) -> None:
    report = build(catalogue, out)
    expect(not report["changed"] and report["release"] == release, "a second build finds nothing to do")


def expand_equals_build(catalogue: Path, whole: Path, folder: Path) -> None:
    rows = pq.read_table(catalogue)
    half = rows.num_rows // 2
    first, second = folder / "first" / catalogue.name, folder / "second" / catalogue.name
    for file, part in ((first, rows.slice(0, half)), (second, rows.slice(half))):
        file.parent.mkdir()
        pq.write_table(part, file)
    out = folder / "grown"
    build(first, out, "--no-load")
    report = kgbuild("expand", str(second), "--out", str(out), "--no-load", "--json")
    sys.stdout.write(f"  expanded in {report['seconds']} s\n")
    for name in TABLES:
        # What was rejected is the same; the detail names the row of the file it stood in, and the files differ.
        columns = ["stage", "key", "reason"] if name == "rejects" else None
        one, other = (pq.read_table(base / "current" / f"{name}.parquet", columns=columns) for base in (whole, out))
        same = one == other
        expect(same, f"{name}: first half expanded by the second equals the whole")


def kgbuild(*arguments: str) -> dict:
    return lines(*arguments)[-1]


def lines(*arguments: str) -> list[dict]:
    done = subprocess.run([KGBUILD, *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kgbuild {' '.join(arguments)} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"FAILED: {what}")
    sys.stdout.write(f"  holds: {what}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
