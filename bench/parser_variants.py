"""Variants of how tagger and parser learn: on the treebank first, then half on corrected sentences of the catalogue.

    python -m bench.parser_variants OUT --treebank ../shared/data/treebank --catalogue ../shared/data/catalog/train.parquet \\
        --gold ../shared/gold/train.jsonl [--seed 1] [--plain] [--passes 3]

Leaves OUT/ewt and OUT/mixed for `bench/parser.py`. `--plain` leaves the treebank's casing as it is; with `--passes`, tok2vec first
guesses the letters of the catalogue's words (spaCy's `pretrain`), so many times over its distinct sentences but for those of the gold.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from spacy.training.pretrain import pretrain
from thinc.api import Config, fix_random_seed

from kgbuild.language.learning.parser import train_pipeline, train_sentences, untrained
from kgbuild.language.learning.recipe import silver_trees, texts_of, without_gold
from kgbuild.language.learning.silver import distinct_sentences
from kgbuild.language.pipeline import MODELS, SHIPPED
from kgbuild.language.reader import COMPONENT

_WORDS = range(3, 61)
_PRETRAINING = {
    "dropout": 0.2,
    "n_save_every": None,
    "n_save_epoch": None,
    "component": "tok2vec",
    "layer": "",
    "corpus": "corpora.pretrain",
    "batcher": {
        "@batchers": "spacy.batch_by_words.v1",
        "size": 1500,
        "discard_oversize": False,
        "tolerance": 0.2,
        "get_length": None,
    },
    "optimizer": {
        "@optimizers": "Adam.v1",
        "beta1": 0.9,
        "beta2": 0.999,
        "L2_is_weight_decay": True,
        "L2": 0.01,
        "grad_clip": 1.0,
        "use_averages": True,
        "eps": 1e-8,
        "learn_rate": 0.001,
    },
    "objective": {
        "@architectures": "spacy.PretrainCharacters.v1",
        "maxout_pieces": 3,
        "hidden_size": 300,
        "n_characters": 4,
    },
}


def pretrained(treebank: Path, catalogue: Path, gold: Path, out: Path, *, passes: int, seed: int) -> Path:
    """An untrained pipeline whose tok2vec has guessed letters of the catalogue's words; its folder."""
    out.mkdir(parents=True, exist_ok=True)
    rows, without = without_gold(catalogue, gold)
    with (out / "sentences.jsonl").open("w", encoding="utf-8") as file:
        for sentence, _ in distinct_sentences(texts_of(rows), without):
            if len(sentence.split()) in _WORDS:
                file.write(json.dumps({"text": sentence}) + "\n")
    fix_random_seed(seed)
    nlp = untrained(train_sentences(treebank))
    config = Config(nlp.config).interpolate()
    config["training"]["seed"] = seed
    config["corpora"]["pretrain"] = {
        "@readers": "spacy.JsonlCorpus.v1",
        "path": str(out / "sentences.jsonl"),
        "min_length": _WORDS.start,
        "max_length": 100,
        "limit": 0,
    }
    config["pretraining"] = {**_PRETRAINING, "max_epochs": passes}
    pretrain(config, out, use_gpu=-1)
    weights = max(out.glob("model*.bin"), key=lambda path: path.stat().st_mtime)
    nlp.get_pipe("tok2vec").model.from_bytes(weights.read_bytes())  # type: ignore[attr-defined]
    nlp.to_disk(out / "pipeline")
    return out / "pipeline"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--treebank", type=Path, required=True)
    parser.add_argument("--catalogue", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--mixed-steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--passes", type=int, default=0)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given.out.mkdir(parents=True, exist_ok=True)
    sources = (given.treebank, given.catalogue, given.gold)
    start = (
        pretrained(*sources, given.out / "pretrained", passes=given.passes, seed=given.seed) if given.passes else None
    )
    how = {"seed": given.seed, "varied": not given.plain}
    train_pipeline(given.treebank, given.out / "ewt", steps=given.steps, start=start, **how)
    silver = silver_trees(given.catalogue, given.gold, given.out / "ewt", MODELS / SHIPPED / COMPONENT)
    mixed = given.out / "mixed"
    train_pipeline(given.treebank, mixed, steps=given.mixed_steps, start=given.out / "ewt", silver=silver, **how)


if __name__ == "__main__":
    main()
