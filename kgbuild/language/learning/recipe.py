"""The recipe of the shipped pipeline, one command.

    python -m kgbuild.language.learning.recipe --treebank ../shared/data/treebank --catalogue ../shared/data/catalog/train.parquet \
        --gold ../shared/gold/train.jsonl --labels data/annotations.txt --heads data/head_domains.txt \
        --out kgbuild/models/en_kgbuild

Six steps: word classes and spelling from the catalogue and its annotated texts (`lexicon`), an encoder that guesses hidden words of the
catalogue (`words`), five concept networks that each lack a fifth of the gold and are scored on it (`folds`), the network that is shipped,
from the annotated texts and from what the five agree on in the catalogue's own texts (`concepts`), what kind of thing a head names
(`domains`), and tagger and parser, from the treebank and from sentences of the catalogue that the network corrects (`treebank`). `--step`
runs one of them upon what the others left in the work folder and in `--out`.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq
import spacy
import torch

from kgbuild.language.inputs import Vocabulary
from kgbuild.language.learning.annotations import gold_texts, labelled_texts
from kgbuild.language.learning.domains import head_words, held_out_domains, read_head_domains, train_domains
from kgbuild.language.learning.fit import SHAPE, Sample, agreed, fine_tune, pretrain, shipped, with_domains
from kgbuild.language.learning.held_out import HeldOut, best_thresholds, held_out, records_at
from kgbuild.language.learning.networks import ConceptNet, Encoder
from kgbuild.language.learning.parser import train_pipeline
from kgbuild.language.learning.samples import Text, catalogue_sentences, samples_of, vocabulary_of
from kgbuild.language.learning.silver import distinct_sentences, silver_sentences
from kgbuild.language.learning.spelling import respelt, written
from kgbuild.language.learning.treebank import Sentence, read_conllu
from kgbuild.language.lexicon import Lexicon, build_lexicon
from kgbuild.language.model import ConceptModel
from kgbuild.language.reader import COMPONENT, ConceptReader
from kgbuild.language.score import read_jsonl, score_gold, table_of

log = logging.getLogger("kgbuild.language.learning.recipe")

Row = tuple[str, str, str]
"""Id, title and description of a product."""

FOLDS = 5
LABEL_WEIGHT = 0.85
"""Of the project's own labels against the gold's; blind, they score head .99, pair .95 to .97, concept .91 to .96 against it."""
GOLD_TIMES = 3
"""And so often does a gold text count in what words are spelt like."""
SILVER_WEIGHT = 0.5
REPEATS = 3
"""How often the annotated texts come in one pass over the catalogue's own."""
SILVER_STEP = 2
"""Every so-manieth distinct sentence of the catalogue is read by the networks of the folds."""
PARSED_STEP = 24
"""Sentences of every so-manieth product become trees for the parser."""
_ENCODER, _FOLD, _THRESHOLDS, _HELD_OUT = "encoder.pt", "fold{}.pt", "thresholds.json", "held_out.jsonl"


def train_lexicon(treebank: Path, catalogue: Path, gold: Path, labels: Path, out: Path) -> None:
    """Word classes, joins and misspellings of a catalogue with columns title, brand, description, and of its annotated texts."""
    files = sorted(treebank.glob("*.conllu"))
    known = frozenset(word.lower() for file in files for sentence in read_conllu(file) for word in sentence.words)
    rows = pq.read_table(catalogue, columns=["id", "title", "brand", "description"]).to_pylist()
    products = {r["id"]: (r["title"] or "", r["description"] or "") for r in rows}
    texts = [(text, GOLD_TIMES) for text in gold_texts(read_jsonl(gold))]
    texts += [(text, 1) for text in labelled_texts(labels, products)]
    lexicon = respelt(
        build_lexicon(((r["title"] or "", r["brand"] or "", r["description"] or "") for r in rows), known),
        written(texts, known),
    )
    out.mkdir(parents=True, exist_ok=True)
    lexicon.save(out / "lexicon.json")
    log.info("lexicon: %d words, %d joins, %d typos", len(lexicon.classes), len(lexicon.joins), len(lexicon.typos))


def train_words(catalogue: Path, work: Path, *, steps: int, seed: int) -> None:
    """The vocabulary, and the encoder that guesses hidden words of the catalogue."""
    lexicon = Lexicon.load(work / "lexicon.json")
    vocabulary = vocabulary_of(_texts(catalogue), lexicon)
    vocabulary.save(work / "vocabulary.json")
    sentences = list(catalogue_sentences(_texts(catalogue), vocabulary))
    encoder = pretrain(sentences, 2 + len(vocabulary.words), steps=steps, seed=seed, progress=log.info)
    torch.save(encoder.state_dict(), work / _ENCODER)


def train_folds(catalogue: Path, gold: Path, labels: Path, work: Path, *, epochs: int, seed: int, workers: int) -> None:
    """A network without each fifth of the gold; logs and keeps what they find in those fifths.

    Of these fifths the networks know nothing but what step `lexicon` took from the whole gold: how words are spelt.

    Each is trained on one thread of a process of its own, so how many there are at a time changes nothing but the time.
    """
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread) as processes:
        train = partial(_train_fold, catalogue, gold, labels, work, epochs, seed)
        for fold, loss in zip(range(FOLDS), processes.map(train, range(FOLDS)), strict=True):
            log.info("fold %d: %s", fold, loss)
    vocabulary, records = _vocabulary(work), read_jsonl(gold)
    outs: list[HeldOut] = []
    for fold in range(FOLDS):
        net = _fold_net(work / _FOLD.format(fold), work, vocabulary)
        outs += held_out(list(gold_texts(records[fold::FOLDS])), net, vocabulary)
    listed, link = best_thresholds(outs, records)
    (work / _THRESHOLDS).write_text(json.dumps([listed, link]), "utf-8")
    found = records_at(outs, records, listed, link)
    (work / _HELD_OUT).write_text("".join(f"{json.dumps(record)}\n" for record in found), "utf-8")
    log.info("five-fold, thresholds %s %s\n%s", listed, link, table_of(score_gold(found, records)))


def _one_thread() -> None:
    torch.set_num_threads(1)


def _train_fold(catalogue: Path, gold: Path, labels: Path, work: Path, epochs: int, seed: int, fold: int) -> str:
    """Train and keep the network that lacks one fifth of the gold; what it said last of its progress."""
    vocabulary, records = _vocabulary(work), read_jsonl(gold)
    taught = [text for place, record in enumerate(records) if place % FOLDS != fold for text in gold_texts([record])]
    samples = [*samples_of(taught, vocabulary), *_ours(catalogue, gold, labels, work)]
    said: list[str] = []
    net = fine_tune(_encoder(work, vocabulary), samples, epochs=epochs, seed=seed, progress=said.append)
    torch.save(net.state_dict(), work / _FOLD.format(fold))
    return said[-1]


def train_concepts(catalogue: Path, gold: Path, labels: Path, work: Path, out: Path, *, epochs: int, seed: int) -> None:
    """The network that is shipped: from all annotated texts, and from what the networks of the folds agree on."""
    vocabulary, ours = _vocabulary(work), _ours(catalogue, gold, labels, work)
    nets = [_fold_net(path, work, vocabulary) for path in sorted(work.glob(_FOLD.format("*")))]
    sentences = list(catalogue_sentences(_texts(catalogue), vocabulary))[::SILVER_STEP]
    silver = [Sample(one.rows, one.listed, one.links, SILVER_WEIGHT) for one in agreed(nets, sentences)]
    log.info("the networks have read %d sentences of the catalogue", len(silver))
    certain = [*samples_of(gold_texts(read_jsonl(gold)), vocabulary), *ours]
    net = fine_tune(
        _encoder(work, vocabulary),
        [*certain * REPEATS, *silver],
        epochs=max(1, epochs // 3),
        seed=seed,
        progress=log.info,
    )
    listed, link = json.loads((work / _THRESHOLDS).read_text("utf-8"))
    ConceptModel(shipped(net), vocabulary, listed, link).save(out / COMPONENT)


def learn_domains(catalogue: Path, heads: Path, out: Path, *, seed: int) -> None:
    """What kind of thing a head noun names, upon the network in the pipeline's folder; logs the share found of nouns not learned from."""
    model, labels = ConceptModel.load(out / COMPONENT), read_head_domains(heads)
    found = head_words(model, _texts(catalogue), labels, seed=seed)
    log.info("%d of %d labelled head nouns at %d places", len(set(found.heads)), len(labels), len(found.heads))
    log.info("domains of nouns held out: %.3f", held_out_domains(found, labels, seed=seed))
    network = with_domains(model.network, train_domains(found, labels, seed=seed))
    replace(model, network=network).save(out / COMPONENT)


def _ours(catalogue: Path, gold: Path, labels: Path, work: Path) -> list[Sample]:
    """The project's own labels, but for products of the gold."""
    products = {name: (title, description) for name, title, description in _rows(catalogue)}
    known = {record["id"] for record in read_jsonl(gold)}
    texts = (text for text in labelled_texts(labels, products) if text.product not in known)
    return samples_of(texts, _vocabulary(work), weight=LABEL_WEIGHT)


def _fold_net(path: Path, work: Path, vocabulary: Vocabulary) -> ConceptNet:
    net = ConceptNet(_encoder(work, vocabulary), SHAPE, dropout=0.0)
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.eval()


def train_parser(
    treebank: Path, catalogue: Path, gold: Path, out: Path, *, steps: int, mixed_steps: int, seed: int
) -> None:
    """Tagger and parser: from the treebank first, then from it and the catalogue, whose trees the concept network in `out` corrects.

    No sentence of a product in the gold is learned from, so the gold can measure the parser.
    """
    train_pipeline(treebank, out, steps=steps, seed=seed)
    silver = silver_trees(catalogue, gold, out, out / COMPONENT)
    log.info("the parser learns from %d sentences of the catalogue", len(silver))
    train_pipeline(treebank, out, steps=mixed_steps, seed=seed, start=out, silver=silver)


def silver_trees(catalogue: Path, gold: Path, parser: Path, concepts: Path) -> list[Sentence]:
    """Sentences of the catalogue as a first parser's trees, corrected by a concept network; none of a product in the gold."""
    rows, without = without_gold(catalogue, gold)
    model = ConceptModel.load(concepts)
    nlp = spacy.load(parser, exclude=[COMPONENT])
    return list(silver_sentences(texts_of(rows[::PARSED_STEP]), nlp, model, without=without))


def without_gold(catalogue: Path, gold: Path) -> tuple[list[Row], frozenset[str]]:
    """The products that are not in the gold, and the sentences of those that are."""
    records, rows = read_jsonl(gold), _rows(catalogue)
    known = {record["id"] for record in records}
    asked = [row for row in rows if row[0] in known]
    asked += [(record["id"], record["title"], record["description"] or "") for record in records]
    sentences = frozenset(sentence for sentence, _ in distinct_sentences(texts_of(asked), frozenset()))
    return [row for row in rows if row[0] not in known], sentences


def add_reader(pipeline: Path) -> None:
    """Make the network in the folder a component of the pipeline in it."""
    nlp = spacy.load(pipeline, exclude=[COMPONENT])
    reader = nlp.add_pipe(COMPONENT)
    assert isinstance(reader, ConceptReader)
    reader.from_disk(pipeline / COMPONENT)
    nlp.to_disk(pipeline)


def _rows(catalogue: Path) -> list[Row]:
    """Every product."""
    table = pq.read_table(catalogue, columns=["id", "title", "description"])
    return [(row["id"], row["title"] or "", row["description"] or "") for row in table.to_pylist()]


def _texts(catalogue: Path) -> Iterator[Text]:
    """Titles, and descriptions as they stand; tags apart, line ends stay."""
    yield from texts_of(_rows(catalogue))


def texts_of(rows: Iterable[Row]) -> Iterator[Text]:
    """Titles, and descriptions without tags, in order."""
    for _, title, description in rows:
        yield title, True
        yield re.sub(r"<[^>]+>", " ", description), False


def _vocabulary(work: Path) -> Vocabulary:
    return Vocabulary.load(work / "vocabulary.json", Lexicon.load(work / "lexicon.json"))


def _encoder(work: Path, vocabulary: Vocabulary) -> Encoder:
    encoder = Encoder(2 + len(vocabulary.words), SHAPE, dropout=0.0)
    encoder.load_state_dict(torch.load(work / _ENCODER, weights_only=True))
    return encoder


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--treebank", type=Path, required=True, help="folder with en_ewt-ud-{train,dev}.conllu")
    parser.add_argument("--catalogue", type=Path, required=True, help="Parquet with id, title, brand, description")
    parser.add_argument("--gold", type=Path, required=True, help="annotated texts to learn from, JSON Lines")
    parser.add_argument(
        "--labels", type=Path, required=True, help="labels of texts of the catalogue: data/annotations.txt"
    )
    parser.add_argument("--heads", type=Path, required=True, help="domains of head nouns: data/head_domains.txt")
    parser.add_argument("--work", type=Path, default=Path(".kgbuild/recipe"), help="what one step leaves to the next")
    parser.add_argument("--out", type=Path, required=True, help="the pipeline's folder")
    parser.add_argument(
        "--step", choices=("all", "lexicon", "words", "folds", "concepts", "domains", "treebank"), default="all"
    )
    parser.add_argument("--steps", type=int, default=3600, help="updates of tagger and parser on the treebank")
    parser.add_argument("--mixed-steps", type=int, default=400, help="updates of both on treebank and catalogue")
    parser.add_argument("--word-steps", type=int, default=4600, help="updates of the guessing of hidden words")
    parser.add_argument("--epochs", type=int, default=12, help="passes over the annotated texts")
    parser.add_argument("--threads", type=int, default=2, help="the same number gives the same bytes")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    if given.step in ("all", "lexicon"):
        train_lexicon(given.treebank, given.catalogue, given.gold, given.labels, given.work)
    if given.step in ("all", "words"):
        train_words(given.catalogue, given.work, steps=given.word_steps, seed=given.seed)
    sources = (given.catalogue, given.gold, given.labels, given.work)
    if given.step in ("all", "folds"):
        train_folds(*sources, epochs=given.epochs, seed=given.seed, workers=given.threads)
    if given.step in ("all", "concepts"):
        train_concepts(*sources, given.out, epochs=given.epochs, seed=given.seed)
    if given.step in ("all", "domains"):
        learn_domains(given.catalogue, given.heads, given.out, seed=given.seed)
    if given.step in ("all", "treebank"):
        train_parser(
            given.treebank,
            given.catalogue,
            given.gold,
            given.out,
            steps=given.steps,
            mixed_steps=given.mixed_steps,
            seed=given.seed,
        )
    if given.step in ("all", "concepts", "domains", "treebank"):
        add_reader(given.out)
    log.info("%s", json.dumps({"out": str(given.out)}))


if __name__ == "__main__":
    main()
