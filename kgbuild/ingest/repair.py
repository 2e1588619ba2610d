"""Repair of catalogue text: encodings, entities, HTML, Unicode, control characters, white space.

Lines are kept, since they carry meaning. `repair_text` is idempotent. Mis-encoded text is what ftfy is best at; everything else
here is a few rules for what shop systems leave behind.
"""

from __future__ import annotations

import html
import re
import unicodedata
from html.parser import HTMLParser
from typing import Final

import ftfy

_ROUNDS: Final = 8
"""Entities that were escaped twice or HTML inside entities show only after a round; real text needs one or two."""

_ENTITY: Final = (
    "nbsp|[lr]squo|[lr]dquo|sbquo|bdquo|[nm]dash|hellip|[ae]acute|[ae]grave|[ae]circ|ccedil|quot|apos|trade|frac12"
)
_SPLIT_ENTITY: Final = re.compile(rf"&\s?({_ENTITY}|amp)\b(?:\s?;)?")
_BARE_ENTITY: Final = re.compile(rf"(?<!&)(?:({_ENTITY});|(?<![A-Za-z&])(amp);)")
_WHOLE_ENTITY: Final = re.compile(r"&#?\w{1,31};")
_LOOSE_AMP: Final = re.compile(r"&(?!#?\w{1,31};)")
_ESCAPED_AMP: Final = re.compile(r"&(?:amp;)+(?=#?\w{2,8};)")
_APOSTROPHE_GAP: Final = re.compile(r"(?<=\w)&rsquo; (?=(?:s|t|re|ll|ve|d|m)\b)")
_OPENING_GAP: Final = re.compile(r"(&[lb][sd]quo;) +")

_TAG: Final = re.compile(r"<\s*/?\s*[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?\s*>|<!--.*?-->", re.DOTALL)
_LOOSE_LESS_THAN: Final = re.compile(r"<(?!/?[A-Za-z][^<>]*>|!--.*?-->)", re.DOTALL)
_SPACED_TAG: Final = re.compile(r"<\s*(/?)\s*(?=[A-Za-z])")
_TORN_TAG: Final = re.compile(r"^\s*/?(?:b|p|li|ul|br|strong|em)\s*/?>|(?<=\w)br\s*/?>|</?$", re.MULTILINE)
_BLOCKS: Final = frozenset(
    ("address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
     "header", "hr", "li", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul")
)  # fmt: skip
_SILENT: Final = frozenset(("script", "style", "template"))

_LINE_ENDS: Final = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_SPACES: Final = re.compile(r"[^\S\n]+")
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
)
"""Control and format characters; the joiners U+200C and U+200D stay, since scripts and emoji need them."""


def decode(data: bytes) -> tuple[str, bool]:
    """Bytes as text, and whether they were UTF-8; otherwise they are taken for Windows-1252, what old shop systems write."""
    try:
        return data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        pass
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace"), False
    try:
        return data.decode("cp1252"), False
    except UnicodeDecodeError:
        return data.decode("latin-1"), False


def decode_escaped(text: str) -> tuple[str, bool]:
    """The same for text that was read with `surrogateescape`: its undecodable bytes come back before they are guessed."""
    if text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text):
        return text, True
    return decode(text.encode("utf-8", "surrogateescape")) if _escapable(text) else (text, True)


def repair_text(text: str) -> str:
    """Repaired text in NFC: block elements and line ends give newlines, lines are trimmed and not empty, spaces are single."""
    for _ in range(_ROUNDS):
        before = text
        text = _lines(_plain(_characters(_entities(text))))
        if text == before:
            break
    return text


def repair_line(text: str) -> str:
    """Repaired text in one line, for titles, brands and values."""
    return repair_text(text).replace("\n", " ")


def _escapable(text: str) -> bool:
    """Whether surrogates stem from bytes; a lone surrogate of other origin cannot be turned back."""
    return not any("\ud800" <= c <= "\udfff" and not "\udc80" <= c <= "\udcff" for c in text)


def _entities(text: str) -> str:
    if "&" not in text and ";" not in text:
        return text
    text = _ESCAPED_AMP.sub("&", text)
    text = _SPLIT_ENTITY.sub(r"&\1;", text)
    text = _BARE_ENTITY.sub(lambda m: f"&{m.group(1) or m.group(2)};", text)
    text = _OPENING_GAP.sub(r"\1", _APOSTROPHE_GAP.sub("&rsquo;", text))
    return text if _TAG.search(text) else _WHOLE_ENTITY.sub(lambda m: html.unescape(m.group()), text)


def _characters(text: str) -> str:
    """Run ftfy over text that may need it: printable ASCII comes out of it as it went in, so it is spared the walk."""
    text = _LINE_ENDS.sub("\n", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", ftfy.fix_text(text, unescape_html=False))
    return _INVISIBLE.sub("", text)


def _plain(text: str) -> str:
    if "<" not in text and ">" not in text:
        return text
    text = _TORN_TAG.sub("\n", text)
    if not _TAG.search(text):
        return text
    reader = _TextOfHtml()
    text = _LOOSE_LESS_THAN.sub("&lt;", _SPACED_TAG.sub(r"<\1", text))
    reader.feed(_LOOSE_AMP.sub("&amp;", text))
    reader.close()
    return reader.text()


def _lines(text: str) -> str:
    stripped = (line.strip() for line in _SPACES.sub(" ", text).split("\n"))
    return "\n".join(line for line in stripped if line)


class _TextOfHtml(HTMLParser):
    """Collects the text of HTML; block elements break the line, scripts and styles say nothing."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._silent = 0

    def text(self) -> str:
        return "".join(self._parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser's signature
        self._silent += tag in _SILENT
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._parts.append(data)

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._parts.append("\n")
