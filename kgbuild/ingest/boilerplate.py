"""Sets sections that tell nothing about the product apart: care, warranty, delivery, legal notes, model statistics, sizes, headings.

A text is judged line by line. A line is set apart when it is plainly such a line by its own words (`_PLAIN`), when it is a heading
(`_HEADINGS`), or when it stands under a heading and fits it (`_FITTING`). The first line that does not fit ends the section: shops put the
next paragraph of the story right after "Warm iron". So what is doubtful stays with the product.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

KINDS: Final = ("care", "warranty", "delivery", "legal", "model_statistics", "size", "heading")
"""What a section can be; `heading` holds labels of kept sections, such as "Product Details"."""


class Sections(NamedTuple):
    """The text about the product, and what was set apart by kind."""

    text: str
    apart: dict[str, str]


def _matcher(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_HEADINGS: Final = {
    "care": _matcher(
        r"(?:[a-z]+[ -]){0,2}c ?are(?: (?:instructions?|guide|tips|label|advice))?",
        r"wash ?care(?: instructions?)?", r"washing(?: instructions?)?", r"materials? (?:and|&) care", r"fabric (?:and|&) care", r"how to care(?: for .{1,30})?",
        r"caution", r"care (?:and|&) (?:composition|maintenance)",
    ),
    "warranty": _matcher(r"warranty(?: (?:details|information|period))?", r"guarantee"),
    "delivery": _matcher(r"(?:shipping|delivery|returns?|exchanges?)(?: (?:and|&|/) (?:returns?|exchanges?|delivery))?(?: (?:policy|information|details))?"),
    "legal": _matcher(r"disclaimer", r"legal notice", r"about the brand"),
    "model_statistics": _matcher(r"(?:the )?model(?:[’'`]?s?)?[’'`]? (?:statistics|stats|info(?:rmation)?|measurements?)"),
    "size": _matcher(r"fit(?:ting)?(?: type)?", r"size(?:s|ing)?", r"(?:size|sizing) (?:and|&) fit(?:ting)?", r"fit (?:and|&) siz(?:e|ing)", r"measurements?", r"dimensions?"),
    "heading": _matcher(r"style notes?", r"product (?:details?|description|information|features?)", r"composition", r"description", r"details?", r"features?", r"about the product"),
}  # fmt: skip
_HEADING_LINE: Final = {kind: re.compile(rf"(?:{m.pattern})\s*[:\-.]*", re.IGNORECASE) for kind, m in _HEADINGS.items()}
_LABELLED: Final = {  # "Wash care: machine wash cold" in one line
    kind: re.compile(rf"(?:{_HEADINGS[kind].pattern})\s*:\s*\S", re.IGNORECASE)
    for kind in ("care", "warranty", "model_statistics", "size")
}

_NUMBERING: Final = re.compile(r"^\s*(?:\d{1,2}\s*[.)]\s*|[-*•·>]+\s*)")
_UNIT: Final = r"(?:cms?|mm|ml|m|inch(?:es)?|in|kg|kgs|g|gms?|grams?|litres?|l|oz|\"|''|”)"
_BODY: Final = r"(?:height|chest|bust|waist|hips?|shoulders?|inseam|weight)"
_PLAIN: Final = {
    "care": _matcher(
        r"^(?:please )?(?:do not|don't|never|avoid|no) (?:\w+[ ,/]+){0,3}(?:bleach|iron|dry[- ]?clean|tumble|wring|soak|scrub|wash|machine[- ]wash|rub|spray(?:ing)?|store|expose|brush)",
        r"^(?:gentle|gently|only|light|delicate|normal|regular|mild|cold|warm|cool|separate|preferably|hand|turn inside out and)? ?(?:machine|hand|cold|warm|gentle) ?was(?:h|hed|hable)\b",
        r"^machine was (?:cold|warm)", r"^(?:hand|machine)wash(?:able)?\b",
        r"^wash (?:before|in|inside|with|dark|like|similar|separately|using|and|at|below|cold|warm|once|only|on|the|by|colou?rs|gently)",
        r"^(?:tumble|drip|line|flat|hang|dry|air|shade)[ /]+(?:or line |to |in )?dry\b", r"^dry[ -]+(?:flat|in|inside|under|immediately|clean|cleanable|separately|on|away|naturally)",
        r"^(?:dry ?clean)(?:able|ing)?\b", r"^(?:only )?dry clean",
        r"^(?:use )?(?:a )?(?:warm|w[r]am|cool|cold|hot|medium|mild|low|moderate|steam|preferably steam|medium to hot|moderate warm|light|iron)[ -]+(?:iron|steam|heat|low|inside|with|on|at|while)\b.{0,80}$",
        r"^iron (?:on|in|at|inside|with|low|medium|warm|reverse)", r"^(?:use )?(?:a )?(?:only )?mild detergents?", r"^use (?:a |only )?(?:mild|branded|non-chlorine|cold|warm|cool)", r"^use (?:a |the )?.{0,30}\b(?:brush|conditioner|cleaner|detergent|polish)",
        r"^(?:remove|wipe|rub|clean|brush|dust)\b.{0,60}\b(?:cloth|dust|dirt|stain|grime|soap|detergent|swab|sponge)", r"^damp cloth to remove",
        r"^remove (?:promptly|immediately)", r"^(?:reshape|rinse|lay) (?:while|separately|flat|and)", r"^keep away from (?:children|sources|direct|heat|fire|moisture)",
        r"^protect from (?:sunlight|direct|heat|moisture)", r"^(?:store|keep) (?:in|it in) (?:a )?(?:cool|dry|dust)", r"^wash/dry\b", r"^certain fabrics will shrink",
        r"^this unique fabric has been dyed", r"^click here for the perfect care", r"^for external use only", r"^avoid soaking",
    ),
    "warranty": _matcher(
        r"^(?:\d+ ?(?:year|yr|month)s?'? )?(?:international |limited |manufacturer'?s? |brand )?(?:warranty|guarantee)(?: period)?\s*(?:[:\-]|of|is|provided|against|\.?$)",
        r"^\d+ ?(?:year|yr|month)s?'? (?:international |limited |manufacturer'?s? )?(?:warranty|guarantee)", r"^comes with (?:a |an )?\S+ ?\S* (?:warranty|guarantee)\b",
        r"^to register this product online",
    ),
    "delivery": _matcher(r"self-ship return", r"no pick-?up facility", r"^(?:this (?:product|item) )?(?:is )?(?:not )?eligible for (?:return|exchange)", r"^(?:free|express) (?:shipping|delivery)", r"^(?:delivered|ships|dispatched) (?:with)?in \d"),
    "legal": _matcher(
        r"^(?:disclaimer|note|please note|caution)\b.{0,30}\b(?:colou?r|lining|image|picture|shade|print|product|thread|photograph|may vary|might vary|size|sizing)",
        r"^the final product delivered might vary", r"\b(?:may|might) (?:slightly )?(?:vary|differ) (?:slightly )?from (?:the |what |that )", r"^product colou?rs? may vary",
    ),
    "model_statistics": _matcher(
        r"^(?:the |our )?(?:product|model|garment|shirt|t-?shirt|top|dress|kurta|trousers?|jeans|shorts|\w+)?(?: that| which)?.{0,25}\bmodel\b.{0,60}\b(?:wears|wearing|is wearing|height|has height)\b",
        r"^(?:the )?(?:product|size|model).{0,30}\b(?:is )?(?:a )?size \S+ on a model\b", r"^(?:the |our )?model (?:wears|is wearing|has)\b", rf"^\*?\s*{_BODY}\s*[-:–]?\s*\d[\d.'’\"” ]*.*?(?:,|;|and|\s)\s*{_BODY}\b", 
    ),
    "size": _matcher(
        rf"^(?:\w+[ -]){{0,3}}(?:height|width|depth|length|breadth|diameter|thickness|size|dimensions?|quantity|capacity|volume|weight|heel|crew length|strap drop)s?\s*[:\-–]?\s*(?:approx\.?\s*)?\d[\d.,x×* /]*\s*(?:{_UNIT})?(?:\s|[(,;.x×]|$).{{0,60}}$",
        rf"^\d[\d.,]*\s*(?:x\s*\d[\d.]*\s*)*{_UNIT}\.?$", r"^(?:regular|slim|comfort|classic|relaxed|tailored|trim|loose|skinny|muscle|fitted|straight|modern|athletic)(?:[ -]fit)?(?:\s*[;,/]\s*(?:low|mid|high|regular)[ -]rise(?: fit)?)?\.?$",
        r"^(?:low|mid|high|regular)[ -]rise(?: fit)?$", r"^this \w+ is designed to fit a", r"^designed to fit a (?:wo)?man with", r"^refer (?:to )?(?:the )?size chart", r"^(?:free ?size|one size fits)",
    ),
}  # fmt: skip

_CARE_WORD: Final = _matcher(
    r"\b(?:wash\w*|iron\w*|bleach\w*|tumble|wring\w*|soak\w*|detergents?|dry|dry-?clean\w*|softeners?|shade|sunlight|dust|grime|stains?|wipe|cloth|conditioner|polish|shrink|"
    r"soap|lens cleaner|solution|moisture|perfumes?|airtight|flammable|ignition|flame|fire|children|swallow|inhale|eyes|ventilated|store|stored|avoid|temperatures?|washes|reverse|reshape|scrub)\b"
)
_SIZE_WORD: Final = _matcher(
    r"\b(?:fits?|size[sd]?|sizing|rise|leg|length|waist|regular|slim|comfort|measures?|cms?|inch(?:es)?|ml|gms?|grams?|chart|true to size|freesize|months?|years?)\b|^[\d.]+"
)
_FITTING: Final = {
    "care": lambda line: len(line) <= 260 and bool(_CARE_WORD.search(line)) and not _STORY.search(line),
    "warranty": lambda line: bool(re.search(r"warrant|guarantee|manufactur|defect|\b(?:year|yr|month)s?\b", line, re.IGNORECASE)) and len(line) <= 200,
    "delivery": lambda line: bool(re.search(r"deliver|return|ship|exchange|dispatch|\bdays?\b", line, re.IGNORECASE)) and len(line) <= 300,
    "legal": lambda _line: True,
    "model_statistics": lambda line: bool(re.search(r"\bmodel\b|\d|\bsize\b", line, re.IGNORECASE)) and len(line) <= 160 and not _STORY.search(line),
    "size": lambda line: bool(_SIZE_WORD.search(line)) and len(line) <= 60 and not _STORY.search(line),
    "heading": lambda _line: False,
}  # fmt: skip
_STORY: Final = _matcher(
    r"\b(?:you|your|you'll|pair (?:it|this|these|them)|team (?:it|this|these|them)|wear (?:it|this|these|them)|perfect for|designed (?:for|to be)|comes? with|features?|has (?:a|an|been crafted)|"
    r"made of|crafted|inspired|look (?:great|good))\b"
)


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
    section = _heading_kind(column.replace("_", " ").replace("-", " "))
    for line in text.split("\n"):
        bare = _NUMBERING.sub("", line).strip()
        heading = _heading_kind(bare)
        if heading:
            section = heading
            apart.setdefault(heading, []).append(line)
            continue
        kind = _kind_of_line(bare, section)
        if kind:
            apart.setdefault(kind, []).append(line)
            continue
        if bare and not _is_material(bare, section):
            section = ""
        kept.append(line)
    return Sections("\n".join(kept), {kind: "\n".join(lines) for kind, lines in sorted(apart.items())})


def _heading_kind(line: str) -> str:
    """The section that a line opens, or nothing."""
    if not line or len(line) > 40:
        return ""
    return next((kind for kind, matcher in _HEADING_LINE.items() if matcher.fullmatch(line)), "")


def _kind_of_line(line: str, section: str) -> str:
    """What kind of boilerplate a line is, under the section that is open; nothing when it is about the product."""
    labelled = next((kind for kind, matcher in _LABELLED.items() if len(line) <= 200 and matcher.match(line)), "")
    if labelled:
        return labelled
    plain = next((kind for kind, matcher in _PLAIN.items() if len(line) <= 400 and matcher.search(line)), "")
    if plain:
        return plain
    return section if section and _FITTING[section](line) else ""


def _is_material(line: str, section: str) -> bool:
    """Whether a line in a care section names what the product is made of: it stays, and the section goes on after it."""
    return section == "care" and len(line) <= 60 and not _STORY.search(line)
