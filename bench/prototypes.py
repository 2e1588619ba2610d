"""Prototypes: MMR against the forms that KeyBERT and LangChain use, candidate pools at size, and what the settings do.

    python -m bench.prototypes mmr                    same picks, time a call
    python -m bench.prototypes pools [CONCEPTS] [PRODUCTS]    made-up catalogue of that size
    python -m bench.prototypes lambda RELEASE         mean relevance and similarity by mmr_lambda on a release's tables
    python -m bench.prototypes sheet RELEASE OUT.png  20 concepts and their prototypes, to be looked at

The peers are written here after their sources: `keybert` computes all cosine similarities with scikit-learn and takes the maximum over
the chosen columns in every round (KeyBERT `_mmr.py`); `langchain` loops over the candidates in Python and calls a cosine function
for each round (LangChain `maximal_marginal_relevance`). Both are given the same candidates.
"""

from __future__ import annotations

import io
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from kgbuild.hierarchy import closure
from kgbuild.prototypes import build_candidate_pools, choose_diverse, select_prototypes
from kgbuild.vectors import as_matrix, embedding_table


def keybert(query, rows, k, lam):
    from sklearn.metrics.pairwise import cosine_similarity

    to_query = cosine_similarity(rows, query[None])
    to_each_other = cosine_similarity(rows)
    chosen = [int(np.argmax(to_query))]
    rest = [i for i in range(len(rows)) if i != chosen[0]]
    for _ in range(min(k - 1, len(rest))):
        relevance = to_query[rest, :]
        redundancy = np.max(to_each_other[rest][:, chosen], axis=1)
        best = rest[int(np.argmax(lam * relevance - (1 - lam) * redundancy.reshape(-1, 1)))]
        chosen.append(best)
        rest.remove(best)
    return chosen


def langchain(query, rows, k, lam):
    from sklearn.metrics.pairwise import cosine_similarity

    to_query = cosine_similarity(query[None], rows)[0]
    chosen = [int(np.argmax(to_query))]
    while len(chosen) < min(k, len(rows)):
        best_score, best = -np.inf, -1
        to_chosen = cosine_similarity(rows, rows[chosen])
        for i in range(len(rows)):
            if i in chosen:
                continue
            score = lam * to_query[i] - (1 - lam) * max(to_chosen[i])
            if score > best_score:
                best_score, best = score, i
        chosen.append(best)
    return chosen


def ours(query, rows, k, lam):
    return choose_diverse(rows @ query, rows @ rows.T, k=k, mmr_lambda=lam, duplicate_similarity=2.0)[0]


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def milliseconds(function, *arguments):
    times = []
    for _ in range(7):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def mmr():
    rng = np.random.default_rng(0)
    print("| candidates | k | ours ms | KeyBERT's form ms | LangChain's form ms | same picks |")
    print("|---|---|---|---|---|---|")
    for n, k in ((20, 5), (200, 10), (1000, 10), (1000, 50)):
        rows, query = unit(rng.normal(size=(n, 512)) + 0.5), unit(rng.normal(size=(1, 512)) + 0.5)[0]
        picks = [function(query, rows, k, 0.7) for function in (ours, keybert, langchain)]
        times = [milliseconds(function, query, rows, k, 0.7) for function in (ours, keybert, langchain)]
        print(f"| {n} x 512 | {k} | {' | '.join(f'{t:.2f}' for t in times)} | {picks[0] == picks[1] == picks[2]} |")


def made_up(n_concepts, n_products, dim=256):
    """A catalogue with a few broad and many narrow concepts: about 8 specific ones a product and hypernyms four levels up."""
    rng = np.random.default_rng(0)
    concepts = np.array([f"c{i:06d}" for i in range(n_concepts)])
    parent = (np.arange(n_concepts) * rng.uniform(0, 0.5, n_concepts)).astype(int)
    pairs = []
    level = np.arange(n_concepts)
    for _ in range(6):
        above = parent[level]
        fresh = above != level
        pairs.append(np.stack([np.arange(n_concepts)[fresh], above[fresh]]))
        level = above
    pairs = np.unique(np.concatenate(pairs, axis=1), axis=1)
    mention_product = np.repeat(np.arange(n_products), 8)
    mention_concept = (n_concepts * rng.beta(1.0, 1.5, len(mention_product))).astype(int)
    products = np.array([f"p{i:07d}" for i in range(n_products)])
    sha = np.array([f"{i:06x}" for i in rng.permutation(n_products) % int(n_products * 0.97)])
    ids = np.array([f"{s}{p}" for s, p in zip(sha, products, strict=True)])
    order = np.argsort(ids)
    blank = pa.array([""] * n_concepts)
    tables = {
        "concepts": pa.table({"concept_id": concepts, "label": blank}),
        "product_concepts": pa.table(
            {"product_id": products[mention_product], "concept_id": concepts[mention_concept]}
        ),
        "closure": pa.table({"hyponym_id": concepts[pairs[0]], "hypernym_id": concepts[pairs[1]]}),
        "images": pa.table({"image_id": ids[order], "product_id": products[order], "sha256": sha[order]}),
    }
    about = {"model": "m", "fingerprint": "f"}
    centre = rng.normal(size=dim)
    return (
        *tables.values(),
        embedding_table(
            "concept_embeddings", concepts.tolist(), unit(rng.normal(size=(n_concepts, dim)) + centre), **about
        ),
        embedding_table(
            "image_embeddings", ids[order].tolist(), unit(rng.normal(size=(n_products, dim)) + centre), **about
        ),
    )


def pools(n_concepts=30_000, n_products=36_000):
    tables = made_up(n_concepts, n_products)
    for gate in (True, False):
        start = time.perf_counter()
        found = build_candidate_pools(*tables, pool_size=20, gate=gate)
        middle = time.perf_counter()
        chosen = select_prototypes(found, tables[5], tables[3], k=5, mmr_lambda=0.7, duplicate_similarity=0.98)
        end = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"gate={gate}: {n_concepts} concepts x {n_products} images: {found.num_rows} candidates in {middle - start:.1f} s, "
            f"{chosen.num_rows} prototypes in {end - middle:.1f} s, peak {peak:.1f} GiB"
        )


def release_tables(release):
    def read(name, columns=None):
        return pq.read_table(Path(release) / f"{name}.parquet", columns=columns)

    return (
        read("concepts"),
        read("product_concepts"),
        closure(read("is_a_edges")),
        read("images"),
        read("concept_embeddings"),
        read("image_embeddings"),
    )


def by_lambda(release):
    tables = release_tables(release)
    vectors = as_matrix(tables[5])
    place = {key: row for row, key in enumerate(tables[5]["id"].to_pylist())}
    print(
        "| pool_size | k | mmr_lambda | relevance | pairwise similarity | largest similarity | prototypes a concept |"
    )
    print("|---|---|---|---|---|---|---|")
    for pool_size in (10, 20, 40, 80):
        candidates = build_candidate_pools(*tables, pool_size=pool_size, gate=True)
        for k in (5, 10):
            for lam in (0.0, 0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
                if pool_size != 20 and lam not in (0.2, 0.7, 1.0):
                    continue
                chosen = select_prototypes(
                    candidates, tables[5], tables[3], k=k, mmr_lambda=lam, duplicate_similarity=0.98
                )
                print(f"| {pool_size} | {k} | {lam} | {measured(chosen, vectors, place)} |", flush=True)


def measured(chosen, vectors, place):
    """Means over the concepts that have at least two prototypes."""
    groups = {}
    for concept, image, relevance in zip(
        *(chosen[name].to_pylist() for name in ("concept_id", "image_id", "relevance")), strict=True
    ):
        groups.setdefault(concept, []).append((place[image], relevance))
    several = [group for group in groups.values() if len(group) > 1]
    means, largest = [], []
    for group in several:
        rows = vectors[[row for row, _ in group]]
        pairs = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
        means.append(pairs.mean())
        largest.append(pairs.max())
    relevance = np.mean([np.mean([r for _, r in group]) for group in several])
    count = np.mean([len(group) for group in groups.values()])
    return f"{relevance:.4f} | {np.mean(means):.4f} | {np.mean(largest):.4f} | {count:.2f}"


def sheet(release, output, n=20):
    """A contact sheet: the label and the prototypes of n concepts, drawn evenly over the concepts by support."""
    from PIL import Image, ImageDraw

    concepts, _, _, images, _, _ = release_tables(release)
    prototypes = pq.read_table(Path(release) / "prototypes.parquet")
    have = set(prototypes["concept_id"].to_pylist())
    ranked = sorted(
        (-row["n_products"], row["concept_id"], row["label"])
        for row in concepts.to_pylist()
        if row["concept_id"] in have
    )
    drawn = [ranked[i] for i in sorted(set(np.geomspace(1, len(ranked), n).astype(int) - 1))]
    sha = dict(zip(images["image_id"].to_pylist(), images["sha256"].to_pylist(), strict=True))
    wanted = {row["image_id"]: row for row in prototypes.to_pylist()}
    pictures = ds.dataset(Path(release) / "pictures.parquet").to_table(
        filter=ds.field("sha256").isin([sha[image] for image in wanted])
    )
    data = dict(zip(pictures["sha256"].to_pylist(), pictures["image"].to_pylist(), strict=True))
    canvas = Image.new("RGB", (260 + 5 * 90, n * 104), "white")
    pen = ImageDraw.Draw(canvas)
    for line, (support, concept, label) in enumerate(drawn):
        pen.text((4, line * 104 + 40), f"{label}\n{-support} products", fill="black")
        for row in prototypes.to_pylist():
            if row["concept_id"] == concept and row["prototype_rank"] < 5:
                picture = Image.open(io.BytesIO(data[sha[row["image_id"]]])).convert("RGB").resize((75, 100))
                canvas.paste(picture, (260 + row["prototype_rank"] * 90, line * 104 + 2))
    canvas.save(output)


if __name__ == "__main__":
    command, *rest = sys.argv[1:] or ["mmr"]
    if command == "mmr":
        mmr()
    elif command == "pools":
        pools(*(int(number) for number in rest))
    elif command == "lambda":
        by_lambda(*rest)
    else:
        sheet(*rest)
