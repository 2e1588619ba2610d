"""Sets sections that tell nothing about the product apart: care, warranty, delivery, legal notes, model statistics, sizes, headings.

A text is judged line by line. A line is set apart when it is plainly such a line by its own words (`LINES`), when it is a heading
(`HEADINGS`), or when it stands under a heading and fits it (`FITTING`). The first line that does not fit ends the section: shops put the
next paragraph of the story right after "Warm iron". So what is doubtful stays with the product.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kgbuild.ingest.boilerplate_patterns import FITTING, HEADINGS, LABELLED, LEGAL_LEAD, LINES, NUMBERING, STORY

KINDS: Final = tuple(HEADINGS)
"""What a section can be; `heading` holds the labels of sections that stay, such as "Product Details"."""
_LONGEST_LINE: Final = 400
_LONGEST_LABELLED: Final = 200
_LONGEST_HEADING: Final = 40
_LONGEST_MATERIAL: Final = 60


class Sections(NamedTuple):
    """The text about the product, and what was set apart by kind."""

    text: str
    apart: dict[str, str]


def split_sections(text: str, *, column: str = "") -> Sections:
    """Part a repaired text into what is about the product and what is boilerplate.

    Args:
        text: lines parted by newlines.
        column: the column that it stands in; one named after a section ("materials_care") opens that section.

    Returns:
        The kept lines in their order, and the lines set apart, joined by kind. Every line of `text` is in exactly one of them.
    """
    kept: list[str] = []
    apart: dict[str, list[str]] = {}
    section = _heading_kind(column.replace("_", " ").replace("-", " ").replace("materials care", "care"))
    for line in LEGAL_LEAD.sub(r"\1\n", text).split("\n"):
        bare = NUMBERING.sub("", line).strip()
        heading = _heading_kind(bare)
        kind = heading or _kind_of_line(bare, section)
        if kind:
            apart.setdefault(kind, []).append(line)
        else:
            kept.append(line)
        section = heading or ("" if not kind and not _is_material(bare, section) else section)
    return Sections("\n".join(kept), {kind: "\n".join(lines) for kind, lines in sorted(apart.items())})


def _heading_kind(line: str) -> str:
    """The section that a line opens, or nothing."""
    if not line or len(line) > _LONGEST_HEADING:
        return ""
    return next((kind for kind, matcher in HEADINGS.items() if matcher.fullmatch(line)), "")


def _kind_of_line(line: str, section: str) -> str:
    """What kind of boilerplate a line is, under the section that is open; nothing when it is about the product."""
    if len(line) <= _LONGEST_LABELLED:
        for kind, matcher in LABELLED.items():
            if matcher.match(line):
                return kind
    if len(line) <= _LONGEST_LINE:
        for kind, matcher in LINES.items():
            if matcher.search(line):
                return kind
    return section if _fits(line, section) else ""


def _fits(line: str, section: str) -> bool:
    if section not in FITTING:
        return False
    longest, matcher = FITTING[section]
    return len(line) <= longest and bool(matcher.search(line)) and not STORY.search(line)


def _is_material(line: str, section: str) -> bool:
    """Whether a line in a care section names what the product is made of: it stays, and the section goes on after it."""
    return section == "care" and len(line) <= _LONGEST_MATERIAL and not STORY.search(line)
