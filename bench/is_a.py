"""Are the is-a edges right? Edges drawn at random for judging by hand, and whether article types attach under their sub-category.

    python -m bench.is_a RELEASE [--of train] [--append]

Draws 200 edges of table is_a_edges, and 100 of those between heads, by a fixed lot into bench/is_a_edges.tsv and
bench/is_a_head_edges.tsv (with `--of train` into is_a_edges_train.tsv and so on). A person writes y or n into the column verdict; verdicts
that are there stay for edges that are drawn again, and precision is reported over what is judged. Then article types (the third level of
the category path): the edges are found anew from a path cut to two levels, and a type counts when its canonical concept reaches its
sub-category (of "Necklace and Chains" each part that texts name as a product); `left out` hides the second level of the type's own
products too.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from bench.hierarchy import machine
from kgbuild.domains import PRODUCT
from kgbuild.hierarchy.accept import Accepted
from kgbuild.hierarchy.categories import Categories, read_categories
from kgbuild.hierarchy.category_names import as_said, labelled
from kgbuild.hierarchy.category_places import placed_by_titles
from kgbuild.hierarchy.heads import Found, connect, find_domains
from kgbuild.hierarchy.names import HEAD_RULES, Name, product_label
from kgbuild.hierarchy.said import Said
from kgbuild.language.names import name_form
from kgbuild.naming import canonical_mentions
from kgbuild.table_files import TableFolder

HERE = Path(__file__).parent
COLUMNS = ("hyponym", "hypernym", "rule", "support", "verdict", "note")


def draw(release: TableFolder, file: Path, n: int, rules: Sequence[str] | None) -> list[dict[str, str]]:
    """`n` edges by the least hashes of their ids, with the verdicts that the file has of them already; written back."""
    labels = dict(zip(*(release.table("concepts")[c].to_pylist() for c in ("concept_id", "label")), strict=True))
    edges = [edge for edge in release.table("is_a_edges").to_pylist() if rules is None or edge["rule"] in rules]
    edges.sort(key=lambda edge: hashlib.sha256(f"lot 0 {edge['hyponym_id']} {edge['hypernym_id']}".encode()).digest())
    judged = {}
    if file.exists():
        with file.open(encoding="utf-8", newline="") as lines:
            judged = {(row["hyponym"], row["hypernym"]): row for row in csv.DictReader(lines, delimiter="\t")}
    rows = []
    for edge in edges[:n]:
        hyponym, hypernym = labels[edge["hyponym_id"]], labels[edge["hypernym_id"]]
        old = judged.get((hyponym, hypernym), {"verdict": "", "note": ""})
        values = (hyponym, hypernym, edge["rule"], str(edge["support"]), old["verdict"], old["note"])
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def precision(rows: Sequence[Mapping[str, str]]) -> str:
    """Share of y among the judged, over all and by rule."""
    by_rule: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        by_rule[row["rule"]][row["verdict"]] += 1
        by_rule["all"][row["verdict"]] += 1
    return "; ".join(
        f"{rule} {counts['y']} of {counts['y'] + counts['n']}" + (f" ({counts['']} not judged)" if counts[""] else "")
        for rule, counts in sorted(by_rule.items())
    )


def cut(products: pa.Table, levels: int, hidden: frozenset[str] = frozenset()) -> pa.Table:
    """The products with a path of so many levels; those of `hidden` with one level less."""
    pairs = zip(products["product_id"].to_pylist(), products["category_path"].to_pylist(), strict=True)
    paths = [path[: levels - 1] if product in hidden else path[:levels] for product, path in pairs]
    at = products.schema.get_field_index("category_path")
    return products.set_column(at, products.schema.field(at), pa.array(paths, products.schema.field(at).type))


class Type(NamedTuple):
    """An article type, how many products it has, whether texts name it, and in which ways it reaches its sub-category."""

    name: str
    n_products: int
    named: bool
    reaches: bool
    by_name: bool
    left_out: bool


def attached(release: TableFolder, *, min_products: int = 3) -> list[Type]:
    """Each type with enough products."""
    mentions, texts = release.table("mentions"), release.table("texts")
    if release.has("phrases"):
        mentions = canonical_mentions(mentions, release.table("phrases"))
    products = release.table("products", ["product_id", "category_path"])
    said = Said.of(mentions, texts)
    bare = read_categories(cut(products, 2), name_form, min_products=min_products)
    two = labelled(bare, said)
    domain = find_domains(said, texts, two, min_products=min_products)
    known = {said.heads[head] for head, found in domain.items() if found.name == PRODUCT}
    reached = reach(said, two, domain)
    members: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for product, path in zip(products["product_id"].to_pylist(), products["category_path"].to_pylist(), strict=True):
        if len(path) > 2:
            members[path[2]].append((product, path[1]))
    members = {kind: some for kind, some in sorted(members.items()) if len(some) >= min_products}
    listed = labelled(with_names(bare, said, members), said)
    given = reach(said, listed, domain)
    found = []
    for kind, some in members.items():
        whole = as_said([Name(*name_form(kind))], [len(some)], said)[0]
        parts = re.split(r"\band\b|&", kind)
        lows = as_said([Name(*name_form(part)) for part in parts], [len(some)] * len(parts), said)
        lows = [low for low in lows if low.head in known] or lows[:1]
        sub = Counter(of for _, of in some).most_common(1)[0][0]
        high = relabelled(two, Name(*name_form(sub)))
        hidden = frozenset(product for product, _ in some)
        others = labelled(read_categories(cut(products, 2, hidden), name_form, min_products=min_products), said)
        left_out = reach(said, others, domain)
        right, by_name, right_left_out = (
            all(edges.above(low, high) for low in lows) for edges in (reached, given, left_out)
        )
        by_name = by_name or given.above(whole, high)
        found.append(Type(kind, len(some), lows[0].head in known, right, by_name, right_left_out))
    return found


def with_names(categories: Categories, said: Said, kinds: Collection[str]) -> Categories:
    """The categories with more that no product has, placed by titles."""
    new = sorted({Name(*name_form(kind)) for kind in kinds}.difference(categories.names))
    n = len(categories.names)
    more = replace(categories, names=[*categories.names, *new])
    return placed_by_titles(more, said, name_form, nodes=range(n, n + len(new)))


def reach(said: Said, categories: Categories, domain: Mapping[int, Found]) -> Accepted:
    """The edges that these categories give; statements of texts are left aside."""
    return connect(said, categories, domain, ())


def relabelled(categories: Categories, name: Name) -> Name:
    """The name under which a category goes: "lip product" for "lip"."""
    product = product_label(name)
    return product if product in categories.names and name not in categories.names else name


def main() -> None:
    """Draw, score, attach; with --append write the section into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", type=Path)
    parser.add_argument(
        "--of", default="", help="what the release is of, for the names of the judged files; without it val"
    )
    parser.add_argument("--append", action="store_true")
    arguments = parser.parse_args()
    of_what = f"_{arguments.of}" if arguments.of else ""
    release = TableFolder(arguments.release)
    lines = [
        f"## Is-a edges (`python -m bench.is_a RELEASE --append`)\n\n{machine()}; release {arguments.release.name}.\n"
    ]
    for name, n, rules in (("is_a_edges", 200, None), ("is_a_head_edges", 100, HEAD_RULES)):
        rows = draw(release, HERE / f"{name}{of_what}.tsv", n, rules)
        lines.append(f"{name}{of_what}: right are {precision(rows)}.")
    found = attached(release)
    for of, some in (("all", found), ("of those that texts name", [one for one in found if one.named])):
        right, by_name, left_out = (sum(one[place] for one in some) for place in (3, 4, 5))
        weight, all_products = sum(one.n_products for one in some if one.reaches), sum(one.n_products for one in some)
        share = f"({weight / max(all_products, 1):.1%} of their products)"
        lines.append(
            f"Article types, {of}: {right} of {len(some)} {share} reach their sub-category, {by_name} by name, {left_out} left out."
        )
    for way, place in (("", 3), (" by name", 4), (" left out", 5)):
        wrong = [
            f"{one.name} ({one.n_products}{'' if one.named else ', not named'})" for one in found if not one[place]
        ]
        lines.append(f"Not reached{way}: {', '.join(wrong)}.")
    print("\n".join(lines))
    if arguments.append:
        with (HERE / "RESULTS.md").open("a", encoding="utf-8") as file:
            file.write("\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
