"""Names written by themselves (a category, a line of a taxonomy) under the same rules as the heads and modifiers of texts."""

from __future__ import annotations

import re

from kgbuild.language.canonical import head_lemma, join_words, plain_word, singular, strip_suffix

_SEVERAL = re.compile(r"\s*(?:&|/|,|\+|\band\b|\bor\b)\s*")


def name_form(written: str) -> tuple[str, tuple[str, ...]]:
    """Head noun and modifiers (ascending) of a name: "Casual Shoes" -> ("shoe", ("casual",)).

    Every word before the head is a modifier by itself. A name that counts several things up ("Loungewear and Nightwear") stays
    whole, as a head without modifiers: ("loungewear and nightwear", ()). A name without letters or digits has the head "".
    """
    parts = [_words(part) for part in _SEVERAL.split(written.lower())]
    parts = [words for words in parts if words]
    if len(parts) > 1:
        return " and ".join(" ".join([*words[:-1], head_lemma(words[-1])]) for words in parts), ()
    if not parts:
        return "", ()
    *before, head = parts[0]
    modifiers = (strip_suffix(singular(word)) for word in before)
    return head_lemma(head), tuple(sorted({unit for unit in modifiers if unit}))


def _words(written: str) -> list[str]:
    return join_words([word for word in map(plain_word, written.split()) if word], {})
