"""Which spaCy pipeline parses, and the concept model that reads its parses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.util import is_package

from kgbuild.errors import ModelError
from kgbuild.language.lexicon import Lexicon
from kgbuild.language.model import ConceptModel

SHIPPED = "en_kgbuild"
MODELS = Path(__file__).parent.parent / "models"
CONCEPTS_FOLDER = "concepts"
_NOT_NEEDED = [
    "ner",
    "lemmatizer",
    "attribute_ruler",
    "senter",
    "entity_linker",
    "textcat",
    "textcat_multilabel",
    "spancat",
]


@dataclass(frozen=True)
class Reader:
    """What is read beside the parse: word classes and the weights of the concept model."""

    lexicon: Lexicon
    model: ConceptModel


def load_pipeline(name: str) -> Language:
    """The shipped pipeline ("en_kgbuild"), a folder that holds a spaCy pipeline, or an installed one by name.

    Raises:
        ModelError: there is none of that name, it cannot be read, or it lacks a tagger or a parser.
    """
    nlp = _load(name)
    missing = [part for part in ("tagger", "parser") if not nlp.has_pipe(part)]
    if missing:
        raise ModelError(
            f"the spaCy pipeline {name!r} has no {' and no '.join(missing)}; it has: {', '.join(nlp.pipe_names) or 'nothing'}",
            f"take one that tags and parses English, such as {SHIPPED!r} (shipped) or 'en_core_web_sm'",
        )
    return nlp


def _load(name: str) -> Language:
    folder = MODELS / SHIPPED if name == SHIPPED else Path(name)
    if not folder.is_dir() and not is_package(name):
        raise ModelError(
            f"there is no spaCy pipeline {name!r}: it is neither shipped, nor a folder, nor installed",
            f"install it with: python -m spacy download {name}   or set language.pipeline = {SHIPPED!r}",
        )
    try:
        return spacy.load(folder if folder.is_dir() else name, exclude=_NOT_NEEDED)
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(
            f"the spaCy pipeline {name!r} cannot be read: {error}",
            f"install it anew with: python -m spacy download {Path(name).name}   or set language.pipeline = {SHIPPED!r}",
        ) from error


def reader_of(nlp: Language) -> Reader:
    """The concept model beside a pipeline, or else the shipped one.

    Raises:
        ModelError: the files of the concept model are absent or damaged.
    """
    beside = Path(nlp.path) / CONCEPTS_FOLDER if nlp.path else None
    return _read(beside if beside and beside.is_dir() else MODELS / SHIPPED / CONCEPTS_FOLDER)


@lru_cache(maxsize=4)
def _read(folder: Path) -> Reader:
    try:
        return Reader(Lexicon.load(folder / "lexicon.json"), ConceptModel.load(folder / "model.json.gz"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"the concept model in {folder} cannot be read: {error}", "install kgbuild again") from error
