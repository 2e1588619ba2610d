"""The recipe of the shipped pipeline, one command.

    python -m kgbuild.language.recipe --treebank ../shared/data/treebank --catalogue ../shared/data/catalog/train.parquet \
        --gold ../shared/gold/train.jsonl --out kgbuild/models/en_kgbuild

Three steps: tagger and parser from the treebank (`treebank`), word classes from the catalogue (`lexicon`), the concept model from
annotated texts (`concepts`). `--step` runs one of them upon what the others left in the folder.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import fix_random_seed

from kgbuild.language.align import align
from kgbuild.language.decode import concepts_of, without_repeats
from kgbuild.language.learn import Sample, learn
from kgbuild.language.lexicon import Lexicon, build_lexicon
from kgbuild.language.model import ConceptModel
from kgbuild.language.phrases import Passage, contexts
from kgbuild.language.pipeline import CONCEPTS_FOLDER, Reader
from kgbuild.language.score import read_jsonl, score_gold, table_of
from kgbuild.language.tokens import blank_pipeline
from kgbuild.language.treebank import Sentence, read_conllu, to_doc, vary

log = logging.getLogger("kgbuild.language.recipe")

_WIDTH = 96
_TOK2VEC = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": _WIDTH,
        "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
        "rows": [5000, 1000, 2500, 1000],
        "include_static_vectors": False,
    },
    "encode": {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "width": _WIDTH,
        "depth": 4,
        "window_size": 1,
        "maxout_pieces": 3,
    },
}
_LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": _WIDTH, "upstream": "tok2vec"}
_PARSER = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "parser",
    "extra_state_tokens": False,
    "hidden_width": 64,
    "maxout_pieces": 2,
    "use_upper": True,
    "tok2vec": _LISTENER,
}
_META = {
    "lang": "en",
    "name": "kgbuild",
    "version": "0.1.0",
    "description": "Tagger and parser for English catalogue texts, with the concept model of kgbuild beside them",
    "author": "the kgbuild authors",
    "license": "CC BY-SA 4.0",
    "sources": [
        {
            "name": "UD English EWT",
            "url": "https://universaldependencies.org/treebanks/en_ewt/",
            "license": "CC BY-SA 4.0",
            "author": "Natalia Silveira, Timothy Dozat, Marie-Catherine de Marneffe, Samuel Bowman, Miriam Connor, John Bauer, "
            "Christopher D. Manning and others",
        }
    ],
}


def new_pipeline() -> Language:
    """Untrained: a shared tok2vec, a tagger of Penn tags, a parser of UD arcs."""
    nlp = blank_pipeline()
    nlp.add_pipe("tok2vec", config={"model": _TOK2VEC})
    nlp.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": _LISTENER}})
    nlp.add_pipe("parser", config={"model": _PARSER, "min_action_freq": 20})
    nlp.meta.update(_META)
    return nlp


def _example(nlp: Language, sentences: list[Sentence]) -> Example:
    gold = to_doc(sentences, nlp.vocab)
    bare = Doc(nlp.vocab, words=[token.text for token in gold], spaces=[bool(token.whitespace_) for token in gold])
    return Example(bare, gold)


def _batches(nlp: Language, sentences: list[Sentence], rng: random.Random, words: int) -> Iterator[list[Example]]:
    """Endless batches of about so many words; a document has one to three sentences that follow each other."""
    batch: list[Example] = []
    size = 0
    while True:
        place = rng.randrange(len(sentences))
        taken = sentences[place : place + rng.choice((1, 1, 2, 3))]
        batch.append(_example(nlp, [vary(sentence, rng) for sentence in taken]))
        size += len(batch[-1].reference)
        if size >= words:
            yield batch
            batch, size = [], 0


def _scores(nlp: Language, sentences: list[Sentence]) -> dict[str, float]:
    lowered = [Sentence([w.lower() for w in s.words], s.spaces, s.tags, s.heads, s.deps) for s in sentences]
    scores = nlp.evaluate([_example(nlp, [sentence]) for sentence in lowered])
    return {name: round(scores[name], 4) for name in ("tag_acc", "dep_uas", "dep_las")}


def train_pipeline(treebank: Path, out: Path, *, steps: int, seed: int, words_per_batch: int = 1200) -> None:
    """Train on UD EWT and keep the checkpoint that is best by LAS on 700 lower-cased development sentences."""
    fix_random_seed(seed)
    train = list(read_conllu(treebank / "en_ewt-ud-train.conllu"))
    dev = list(read_conllu(treebank / "en_ewt-ud-dev.conllu"))[:700]
    nlp = new_pipeline()
    nlp.initialize(lambda: (_example(nlp, [sentence]) for sentence in train))
    optimizer = nlp.resume_training()
    best, batches = -1.0, _batches(nlp, train, random.Random(seed), words_per_batch)
    for step in range(1, steps + 1):
        optimizer.learn_rate = 0.001 * min(1.0, step / 200) * max(0.05, 1 - step / (steps + 1))
        nlp.update(next(batches), sgd=optimizer, drop=0.1)
        if step % 400 and step != steps:
            continue
        with nlp.use_params(optimizer.averages):
            scores = _scores(nlp, dev)
            log.info("step %d %s", step, scores)
            if scores["dep_las"] > best:
                best = scores["dep_las"]
                nlp.meta["performance"] = scores
                nlp.to_disk(out)


def train_lexicon(treebank: Path, catalogue: Path, out: Path) -> None:
    """Word classes, joins and misspellings of a catalogue with columns title, brand, description."""
    files = sorted(treebank.glob("*.conllu"))
    known = frozenset(word.lower() for file in files for sentence in read_conllu(file) for word in sentence.words)
    rows = pq.read_table(catalogue, columns=["title", "brand", "description"]).to_pylist()
    lexicon = build_lexicon(((r["title"] or "", r["brand"] or "", r["description"] or "") for r in rows), known)
    out.mkdir(parents=True, exist_ok=True)
    lexicon.save(out / "lexicon.json")
    log.info("lexicon: %d words, %d joins, %d typos", len(lexicon.classes), len(lexicon.joins), len(lexicon.typos))


def train_concepts(gold: Path, pipeline: Path, out: Path) -> None:
    """The concept model from annotated texts; logs its five-fold score on them."""
    records = read_jsonl(gold)
    reader = Reader(Lexicon.load(out / "lexicon.json"), ConceptModel())
    samples = _samples(records, spacy.load(pipeline), reader)
    model, graphs = learn(samples, progress=log.info)
    model.save(out / "model.json.gz")
    found: dict[int, list[Any]] = {}
    for sample, graph in zip(samples, graphs, strict=True):
        concepts = concepts_of(sample.context.atoms, graph, is_title=sample.context.is_title)
        found.setdefault(sample.group, []).extend(concepts)
    predicted = [
        {
            "id": record["id"],
            "concepts": [{"head": c.head, "modifiers": c.modifiers} for c in without_repeats(found[place])],
        }
        for place, record in enumerate(records)
    ]
    log.info("five-fold score\n%s", table_of(score_gold(predicted, records)))


def _samples(records: Sequence[dict[str, Any]], nlp: Language, reader: Reader) -> list[Sample]:
    """Two samples a record, its title and its description, with their gold graphs."""
    passages = []
    for record in records:
        title, description = record["title"] or "", record["description"] or ""
        passages += [Passage(title, is_title=True), Passage(description, is_title=False, title=title)]
    samples = []
    for place, context in enumerate(contexts(passages, nlp, reader, batch_size=128)):
        record = records[place // 2]
        own = [c for c in record["concepts"] if (c["surface"] in (record["title"] or "")) == context.is_title]
        samples.append(Sample(context, align(own, context.atoms), place // 2))
    return samples


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--treebank", type=Path, required=True, help="folder with en_ewt-ud-{train,dev}.conllu")
    parser.add_argument("--catalogue", type=Path, required=True, help="Parquet with title, brand, description")
    parser.add_argument("--gold", type=Path, required=True, help="annotated texts to learn from, JSON Lines")
    parser.add_argument("--out", type=Path, required=True, help="the pipeline's folder")
    parser.add_argument("--step", choices=("all", "treebank", "lexicon", "concepts"), default="all")
    parser.add_argument("--steps", type=int, default=3600, help="updates of tagger and parser")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    concepts = given.out / CONCEPTS_FOLDER
    if given.step in ("all", "treebank"):
        train_pipeline(given.treebank, given.out, steps=given.steps, seed=given.seed)
    if given.step in ("all", "lexicon"):
        train_lexicon(given.treebank, given.catalogue, concepts)
    if given.step in ("all", "concepts"):
        train_concepts(given.gold, given.out, concepts)
    log.info("%s", json.dumps({"out": str(given.out)}))


if __name__ == "__main__":
    main()
