"""Which spaCy pipeline reads, and a miner: a pipeline with what it remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import spacy
from safetensors import SafetensorError
from spacy.language import Language
from spacy.util import is_package

from kgbuild.errors import ModelError
from kgbuild.language.phrases import Memory
from kgbuild.language.reader import COMPONENT, ConceptReader

SHIPPED = "en_kgbuild"
MODELS = Path(__file__).parent.parent / "models"
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
class Miner:
    """All that mining needs, loaded once a worker; what it remembers changes its speed, never what it finds."""

    nlp: Language
    memory: Memory = field(default_factory=Memory)


def load_miner(name: str) -> Miner:
    """The pipeline of that name, see `load_pipeline`."""
    return Miner(load_pipeline(name))


def load_pipeline(name: str) -> Language:
    """The shipped pipeline ("en_kgbuild"), a folder that holds a spaCy pipeline, or an installed one by name.

    One that has no component `kgbuild_concepts` of its own gets the shipped one.

    Raises:
        ModelError: there is none of that name, or it cannot be read.
    """
    folder = MODELS / SHIPPED if name == SHIPPED else Path(name)
    if not folder.is_dir() and not is_package(name):
        raise ModelError(
            f"there is no spaCy pipeline {name!r}: it is neither shipped, nor a folder, nor installed",
            f"install it with: python -m spacy download {name}   or set language.pipeline = {SHIPPED!r}",
        )
    try:
        nlp = spacy.load(folder if folder.is_dir() else name, exclude=_NOT_NEEDED)
        if not nlp.has_pipe(COMPONENT):
            reader = nlp.add_pipe(COMPONENT)
            assert isinstance(reader, ConceptReader)
            reader.from_disk(MODELS / SHIPPED / COMPONENT)
    except (OSError, ValueError, TypeError, KeyError, ImportError, SafetensorError) as error:
        raise ModelError(
            f"the spaCy pipeline {name!r} cannot be read: {error}",
            f"install it anew with: python -m spacy download {Path(name).name}   or set language.pipeline = {SHIPPED!r}",
        ) from error
    return nlp
