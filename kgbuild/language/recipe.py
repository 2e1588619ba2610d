"""The recipe of the shipped pipeline: tagger and parser from the treebank, adapted to catalogue casing.

python -m kgbuild.language.recipe --treebank ../shared/data/treebank --out kgbuild/models/en_kgbuild
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed

from kgbuild.language.tokens import blank_pipeline
from kgbuild.language.treebank import Sentence, read_conllu, to_doc, vary

log = logging.getLogger("kgbuild.language.recipe")

_TOK2VEC = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": 96,
        "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
        "rows": [5000, 1000, 2500, 1000],
        "include_static_vectors": False,
    },
    "encode": {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "width": 96,
        "depth": 4,
        "window_size": 1,
        "maxout_pieces": 3,
    },
}
_LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96, "upstream": "tok2vec"}


def new_pipeline() -> Language:
    """Untrained: a shared tok2vec, a tagger of Penn tags, a parser of UD arcs."""
    nlp = blank_pipeline()
    nlp.add_pipe("tok2vec", config={"model": _TOK2VEC})
    nlp.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": _LISTENER}})
    parser = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "parser",
        "extra_state_tokens": False,
        "hidden_width": 64,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": _LISTENER,
    }
    nlp.add_pipe("parser", config={"model": parser, "min_action_freq": 20})
    return nlp


def _example(nlp: Language, sentences: list[Sentence]) -> Example:
    gold = to_doc(sentences, nlp.vocab)
    bare = Doc(nlp.vocab, words=[token.text for token in gold], spaces=[bool(token.whitespace_) for token in gold])
    return Example(bare, gold)


def _stream(nlp: Language, sentences: list[Sentence], rng: random.Random) -> Iterator[Example]:
    while True:
        place = rng.randrange(len(sentences))
        taken = sentences[place : place + rng.choice((1, 1, 2, 3))]
        yield _example(nlp, [vary(sentence, rng) for sentence in taken])


def _scores(nlp: Language, sentences: list[Sentence]) -> dict[str, float]:
    lowered = [Sentence([w.lower() for w in s.words], s.spaces, s.tags, s.heads, s.deps) for s in sentences]
    scores = nlp.evaluate([_example(nlp, [sentence]) for sentence in lowered])
    return {name: round(scores[f"{key}"], 4) for name, key in _SCORES.items()}


_SCORES = {"tag": "tag_acc", "uas": "dep_uas", "las": "dep_las"}


def train_pipeline(treebank: Path, out: Path, *, steps: int, seed: int, words_per_batch: int = 1200) -> Language:
    """Train on UD EWT and keep the best of the checkpoints by LAS on the lower-cased development part."""
    fix_random_seed(seed)
    rng = random.Random(seed)
    train = list(read_conllu(treebank / "en_ewt-ud-train.conllu"))
    dev = list(read_conllu(treebank / "en_ewt-ud-dev.conllu"))[:700]
    nlp = new_pipeline()
    nlp.initialize(lambda: (_example(nlp, [sentence]) for sentence in train))
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.001
    best, stream = -1.0, _stream(nlp, train, rng)
    for step in range(1, steps + 1):
        batch, words = [], 0
        while words < words_per_batch:
            batch.append(next(stream))
            words += len(batch[-1].reference)
        optimizer.learn_rate = 0.001 * min(1.0, step / 200) * max(0.05, 1 - step / (steps + 1))
        nlp.update(batch, sgd=optimizer, drop=0.1)
        if step % 400 == 0 or step == steps:
            with nlp.use_params(optimizer.averages):
                scores = _scores(nlp, dev)
                log.info("step %d %s", step, scores)
                if scores["las"] > best:
                    best = scores["las"]
                    nlp.meta["performance"] = scores
                    nlp.to_disk(out)
    return nlp


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--treebank", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train_pipeline(given.treebank, given.out, steps=given.steps, seed=given.seed)
    log.info("%s", json.dumps({"out": str(given.out)}))


if __name__ == "__main__":
    main()
