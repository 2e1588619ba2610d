"""Mining beside bare `nlp.pipe` of the shipped pipeline's tagger and parser, one thread, CPU time.

    python bench/mining.py ../shared/data/catalog/val.parquet

Words are tokens that are not white space. "Reading" mines distinct sentences, none remembered; "mining" mines whole texts as a build does,
up to the mentions table, where a sentence met again is remembered.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "BLIS_NUM_THREADS": "1"}

import pyarrow as pa
import pyarrow.parquet as pq

from kgbuild.language import load_miner, mine_mentions
from kgbuild.language.pipeline import Miner
from kgbuild.language.reader import COMPONENT
from kgbuild.language.sentences import sentences


def cpu_seconds(work: Callable[[], object], *, repeats: int) -> float:
    """The least of several runs."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--products", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    rows = pq.read_table(given.catalogue, columns=["title", "description"]).slice(0, given.products).to_pylist()
    texts = [text for row in rows for text in (row["title"], row["description"]) if text]
    nlp = load_miner("en_kgbuild").nlp
    distinct = list(dict.fromkeys(piece for text in texts for _, piece in sentences(text)))
    words = sum(not token.is_space for text in texts for token in nlp.make_doc(text))
    distinct_words = sum(not token.is_space for text in distinct for token in nlp.make_doc(text))

    def bare() -> None:
        with nlp.memory_zone(), nlp.select_pipes(disable=[COMPONENT]):
            for _ in nlp.pipe(texts, batch_size=128):
                pass

    def mined(some: list[str]) -> Callable[[], object]:
        names = pa.array([str(number) for number in range(len(some))])
        field = pa.array(["description"] * len(some))
        table = pa.table({"text_id": names, "product_id": names, "field": field, "text": pa.array(some)})
        products = pa.table({"product_id": names, "brand": pa.nulls(len(some), pa.string())})
        return lambda: mine_mentions(table, products, miner=Miner(nlp))

    mined(texts[:50])()
    plain = words / cpu_seconds(bare, repeats=given.repeats)
    reading = distinct_words / cpu_seconds(mined(distinct), repeats=given.repeats)
    mining = words / cpu_seconds(mined(texts), repeats=given.repeats)
    print(f"{len(texts):,} texts, {words:,} words, {distinct_words:,} of them in distinct sentences")
    for name, rate in (("bare nlp.pipe", plain), ("reading", reading), ("mining", mining)):
        print(f"{name:14s} {rate:9,.0f} words/s  {rate / plain:5.2f} of bare nlp.pipe")


if __name__ == "__main__":
    main()
