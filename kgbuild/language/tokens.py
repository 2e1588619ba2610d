"""How catalogue text becomes tokens: one tokenizer for training and for mining, stored inside the shipped pipeline.

Hyphenated words stay whole ("t-shirt", "v-neck", "slip-on", "full-grain"): the treebank splits them, catalogues name
things by them. Glued words part where catalogues glue them ("100%cotton", "technology,soft", "zip.Has", "(nylon)lining").
"""

from __future__ import annotations

import spacy
from spacy.lang.char_classes import ALPHA, ALPHA_LOWER, ALPHA_UPPER, CONCAT_QUOTES, LIST_ELLIPSES, LIST_ICONS
from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.util import compile_infix_regex, compile_prefix_regex, compile_suffix_regex

_INFIXES = [
    *LIST_ELLIPSES,
    *LIST_ICONS,
    r"(?<=[0-9])[+*^](?=[0-9-])",
    rf"(?<=[{ALPHA_LOWER}{CONCAT_QUOTES}])\.(?=[{ALPHA_UPPER}{CONCAT_QUOTES}])",
    rf"(?<=[{ALPHA}0-9%]),(?=[{ALPHA}0-9])",
    rf"(?<=[{ALPHA}0-9])[:<>=/&+*;!?|](?=[{ALPHA}0-9])",
    rf"(?<=[0-9])%(?=[{ALPHA}])",
    r"[()\[\]]",
    rf"(?<=[{ALPHA}])--+(?=[{ALPHA}])",
]
_BULLETS = [r"[-\u2013\u2014\u2022*\u00b7~](?=\w)"]


def blank_pipeline() -> Language:
    """An English pipeline with nothing but the catalogue tokenizer."""
    nlp = spacy.blank("en")
    defaults, tokenizer = nlp.Defaults, nlp.tokenizer
    assert isinstance(tokenizer, Tokenizer)
    tokenizer.infix_finditer = compile_infix_regex(_INFIXES).finditer
    tokenizer.prefix_search = compile_prefix_regex([*_BULLETS, *(defaults.prefixes or [])]).search
    tokenizer.suffix_search = compile_suffix_regex([r"(?<=\w)[-\u2013\u2014](?=$)", *(defaults.suffixes or [])]).search
    # "id" -> "i d" and the like are wrong for catalogues; contractions with an apostrophe stay.
    tokenizer.rules = {
        text: pieces for text, pieces in (tokenizer.rules or {}).items() if len(pieces) == 1 or "'" in text
    }
    return nlp
