"""Tagger and parser measured: on treebank sentences and on annotated catalogue texts, one row of a table a pipeline.

    python bench/parser.py PIPELINE [PIPELINE ...] --treebank ../shared/data/treebank --gold ../shared/gold/train.jsonl

The pipelines are folders as `kgbuild.language.learning.recipe --step treebank` leaves them; the variants in `bench/language.md` are those
that `train_pipeline` gives with other arguments (`varied`, `silver`, `start`). Speed is that of tok2vec, tagger and parser together over
the annotated texts, repeated, in words a second of processor time.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import spacy
from spacy.language import Language

from kgbuild.language.learning.annotations import gold_texts
from kgbuild.language.learning.attachment import attachment
from kgbuild.language.learning.parser import dev_scores, dev_sentences
from kgbuild.language.lexicon import Lexicon
from kgbuild.language.pipeline import MODELS, SHIPPED
from kgbuild.language.reader import COMPONENT
from kgbuild.language.score import read_jsonl


def row(nlp: Language, treebank: Path, gold: Path) -> list[str]:
    """TAG / UAS / LAS in lower case, as written, the shares of `attachment`, words a second."""
    dev, texts = dev_sentences(treebank), list(gold_texts(read_jsonl(gold)))
    cells = [
        " / ".join(f"{share:.3f}" for share in dev_scores(nlp, dev, lowered=lowered).values())
        for lowered in (True, False)
    ]
    lexicon = Lexicon.load(MODELS / SHIPPED / COMPONENT / "lexicon.json")
    cells += [f"{share:.3f}" for share in attachment(nlp, texts, lexicon).shares().values()]
    started = time.process_time()
    words = sum(len(doc) for doc in nlp.pipe(text.text for text in texts for _ in range(3)))
    return [*cells, f"{words / (time.process_time() - started):,.0f}"]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipelines", type=Path, nargs="+")
    parser.add_argument("--treebank", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    given = parser.parse_args()
    names = ("lower case", "as written", "pairs", "before", "after", "nearest", "words/s")
    sys.stdout.write(f"| pipeline | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n")
    for folder in given.pipelines:
        nlp = spacy.load(folder, exclude=[COMPONENT])
        sys.stdout.write(f"| {folder.name} | {' | '.join(row(nlp, given.treebank, given.gold))} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
