"""Training the tagger and the parser of the shipped pipeline, for catalogue language.

First on UD English EWT with varied casing (`treebank.vary`), then on it and on the catalogue's own sentences (`silver`), half and half.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import fix_random_seed

from kgbuild.language.learning.treebank import Sentence, read_conllu, to_doc, vary
from kgbuild.language.reader import COMPONENT
from kgbuild.language.tokens import blank_pipeline

log = logging.getLogger("kgbuild.language.learning.recipe")

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


def untrained(sentences: Sequence[Sentence]) -> Language:
    """A shared tok2vec, a tagger of Penn tags, a parser of UD arcs, ready to learn from such sentences."""
    nlp = blank_pipeline()
    nlp.add_pipe("tok2vec", config={"model": _TOK2VEC})
    nlp.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": _LISTENER}})
    nlp.add_pipe("parser", config={"model": _PARSER, "min_action_freq": 20})
    nlp.meta.update(_META)
    examples = [_example(nlp, [sentence]) for sentence in sentences]
    nlp.initialize(lambda: examples)
    return nlp


def _example(nlp: Language, sentences: list[Sentence]) -> Example:
    gold = to_doc(sentences, nlp.vocab)
    bare = Doc(nlp.vocab, words=[token.text for token in gold], spaces=[bool(token.whitespace_) for token in gold])
    return Example(bare, gold)


def _batches(
    nlp: Language, sources: Sequence[Sequence[Sentence]], rng: random.Random, words: int, *, varied: bool
) -> Iterator[list[Example]]:
    """Endless batches of about so many words; a document has one to three sentences that follow each other in one source."""
    batch: list[Example] = []
    size = 0
    while True:
        sentences = rng.choice(sources) if len(sources) > 1 else sources[0]
        place = rng.randrange(len(sentences))
        taken = sentences[place : place + rng.choice((1, 1, 2, 3))]
        batch.append(_example(nlp, [vary(sentence, rng) for sentence in taken] if varied else list(taken)))
        size += len(batch[-1].reference)
        if size >= words:
            yield batch
            batch, size = [], 0


def dev_scores(nlp: Language, sentences: Sequence[Sentence], *, lowered: bool) -> dict[str, float]:
    """`tag_acc`, `dep_uas`, `dep_las` (0-1) on sentences one by one, in lower case or as written."""
    if lowered:
        sentences = [Sentence([w.lower() for w in s.words], s.spaces, s.tags, s.heads, s.deps) for s in sentences]
    scores = nlp.evaluate([_example(nlp, [sentence]) for sentence in sentences])
    return {name: round(scores[name], 4) for name in ("tag_acc", "dep_uas", "dep_las")}


def train_sentences(treebank: Path) -> list[Sentence]:
    """The sentences to learn from."""
    return list(read_conllu(treebank / "en_ewt-ud-train.conllu"))


def dev_sentences(treebank: Path) -> list[Sentence]:
    """The 700 development sentences that checkpoints are chosen by."""
    return list(read_conllu(treebank / "en_ewt-ud-dev.conllu"))[:700]


def train_pipeline(
    treebank: Path,
    out: Path,
    *,
    steps: int,
    seed: int,
    start: Path | None = None,
    silver: Sequence[Sentence] = (),
    varied: bool = True,
    words_per_batch: int = 1200,
) -> None:
    """Train and keep in `out` the checkpoint that is best by LAS on 700 lower-cased development sentences.

    Args:
        treebank: folder of UD EWT.
        out: the pipeline's folder.
        steps: updates.
        seed: of everything random.
        start: folder of a pipeline to go on from; without one, a new one.
        silver: sentences of the catalogue; of the documents, half are of these.
        varied: whether casing is varied.
        words_per_batch: of an update.
    """
    fix_random_seed(seed)
    train, dev = train_sentences(treebank), dev_sentences(treebank)
    nlp = spacy.load(start, exclude=[COMPONENT]) if start else untrained(train)
    optimizer = nlp.resume_training()
    sources = [train, silver] if silver else [train]
    best, batches = -1.0, _batches(nlp, sources, random.Random(seed), words_per_batch, varied=varied)
    for step in range(1, steps + 1):
        optimizer.learn_rate = 0.001 * min(1.0, step / 200) * max(0.05, 1 - step / (steps + 1))
        nlp.update(next(batches), sgd=optimizer, drop=0.1)
        if step % 400 and step != steps:
            continue
        with nlp.use_params(optimizer.averages):
            scores = dev_scores(nlp, dev, lowered=True)
            log.info("step %d %s", step, scores)
            if scores["dep_las"] > best:
                best = scores["dep_las"]
                nlp.meta["performance"] = scores
                nlp.to_disk(out)
