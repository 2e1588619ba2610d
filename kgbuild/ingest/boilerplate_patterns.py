"""The patterns that boilerplate is known by: data, apart from the code that uses it (`boilerplate.py`).

Found by counting the short lines of a real catalogue of 37 thousand products and by reading what stands around them; matched without
regard to case, on lines freed of numbering ("2. Do not bleach").
"""

from __future__ import annotations

import re
from typing import Final

_UNIT: Final = r"(?:cms?|mm|ml|m|metres?|inch(?:es)?|in|kgs?|g|gms?|grams?|litres?|l|oz|\"|''|\u201d)"
_BODY: Final = r"(?:height|chest|bust|waist|hips?|shoulders?|inseam|weight)"
_MEASURE: Final = "height|width|depth|length|breadth|diameter|thickness|size|dimensions?|quantity|capacity|volume|weight|heel|strap drop"
_FIGURES: Final = r"(?:approx)?[. ]*\d[\d.,x\u00d7* /]*"
_SHAPE: Final = "regular|slim|comfort|classic|relaxed|tailored|trim|loose|skinny|muscle|fitted|straight|modern|athletic"
_TIME: Final = r"(?:\d+|one|two|three|five|six|twelve)[ -]?(?:year|yr|month)s?'?"

_FORBIDDEN: Final = (
    "bleach|iron|dry[- ]?clean|tumble|wring|soak|scrub|wash|machine[- ]wash|rub|spray(?:ing)?|store|expose|brush"
)
_GENTLE: Final = (
    "gentle|gently|only|light|delicate|normal|regular|mild|cold|warm|cool|separate|preferably|turn inside out and"
)
_CLEAN: Final = r"clean (?:with|using|the|by|it|only|surface|leather|lens\w*)"
_HEAT: Final = "warm|wram|cool|cold|hot|medium|mild|low|moderate|(?:preferably )?steam|medium to hot|moderate warm"
_VARIES: Final = "colou?r|lining|image|picture|shade|print|product|thread(?: colou?r)?|photograph"
_CARE_WORDS: Final = (
    r"wash\w*|iron\w*|bleach\w*|tumble|wring\w*|soak\w*|detergents?|dry|dry-?clean\w*|softeners?|shade|sunlight|dust|grime|stains?|"
    r"wipe|cloth|conditioner|polish|shrink|soap|lens cleaner|solution|moisture|perfumes?|airtight|flammable|ignition|flame|fire|"
    r"children|swallow|inhale|eyes|ventilated|stored?|avoid|temperatures?|reverse|reshape|scrub|paste"
)
_SIZE_WORDS: Final = (
    r"fits?|size[sd]?|sizing|rise|leg|length|waist|regular|slim|comfort|measures?|cms?|inch(?:es)?|ml|gms?|grams?|chart|"
    r"true to size|freesize|months?|years?"
)
_HEADING_PATTERNS: Final = {
    "care": (
        r"(?:[a-z]+[ -]){0,2}c ?are(?: (?:instructions?|guide|tips|label|advice|and maintenance))?",
        r"wash ?care(?: instructions?)?",
        r"washing(?: instructions?)?",
        r"(?:materials?|fabric) (?:and|&) care",
        r"how to care(?: for .{1,30})?",
        r"caution",
    ),
    "warranty": (r"warranty(?: (?:details|information|period))?", r"guarantee"),
    "delivery": (
        r"(?:shipping|delivery|returns?|exchanges?)(?: (?:and|&|/) (?:returns?|exchanges?|delivery))?(?: (?:policy|information|details))?",
    ),
    "legal": (r"disclaimer", r"legal notice", r"about the brand"),
    "model_statistics": (
        r"(?:the )?model(?:[\u2019'`]?s?)?[\u2019'`]? (?:statistics|stats|info(?:rmation)?|measurements?)",
    ),
    "size": (
        r"fit(?:ting)?(?: type)?",
        r"size(?:s|ing)?",
        r"siz(?:e|ing) (?:and|&) fit(?:ting)?",
        r"fit (?:and|&) siz(?:e|ing)",
        r"measurements?",
        r"dimensions?",
    ),
    "heading": (
        r"style notes?",
        r"product (?:details?|description|information|features?)",
        r"composition",
        r"description",
        r"details?",
        r"features?",
        r"about the product",
    ),
}

_LINE_PATTERNS: Final = {
    "care": (
        rf"^(?:please )?(?:do not|don't|never|avoid|no) (?:\w+[ ,/]+){{0,3}}(?:{_FORBIDDEN})",
        rf"^(?:{_GENTLE})? ?(?:machine|hand|cold|warm|gentle) ?was(?:h|hed|hable)\b",
        r"^machine was (?:cold|warm)",
        r"^wash (?:before|in|inside|with|dark|like|similar|separately|using|at|below|cold|warm|once|only|on|by|colou?rs|gently|off)",
        r"^(?:tumble|drip|line|flat|hang|dry|air|shade)[ /]+(?:or line |to |in )?dry\b",
        r"^dry[ -]+(?:flat|in|inside|under|immediately|clean|cleanable|separately|on|away|naturally)",
        r"^(?:only )?dry[- ]?clean(?:able|ing)?\b",
        rf"^(?:use )?(?:a )?(?:{_HEAT})[ -]+(?:iron|steam|heat|low|inside|with|on|at|while)\b.{{0,80}}$",
        r"^iron (?:on|in|at|inside|with|low|medium|warm|reverse)",
        r"^(?:use )?(?:a )?(?:only )?mild detergents?",
        r"^use (?:a |only )?(?:mild|branded|non-chlorine|cold|warm|cool)",
        r"^use (?:a |the )?.{0,30}\b(?:brush|conditioner|cleaner|detergent|polish)",
        rf"^(?:gently )?(?:remove|wipe|rub|{_CLEAN}|brush|dust)\b.{{0,60}}\b(?:cloth|dust|dirt|stain|grime|soap|detergent|swab|sponge)",
        r"^damp cloth to remove",
        r"^remove (?:promptly|immediately)",
        r"^(?:reshape|rinse|lay) (?:while|separately|flat|and)",
        r"^keep away from (?:children|sources|direct|heat|fire|moisture)",
        r"^protect from (?:sunlight|direct|heat|moisture)",
        r"^(?:store|keep) (?:in|it in) (?:a )?(?:cool|dry|dust)",
        r"^wash/dry\b",
        r"^certain fabrics will shrink",
        r"^this unique fabric has been dyed",
        r"^click here for the perfect care",
        r"^for external use only",
        r"^avoid soaking",
    ),
    "warranty": (
        rf"^(?:{_TIME} |lifetime )?(?:international |limited |manufacturer'?s? |brand )*(?:warranty|guarantee)(?! to)\b.{{0,160}}$",
        r"^comes with (?:a |an )?\S+ ?\S* (?:warranty|guarantee)\b",
        r"^to register this product online",
    ),
    "delivery": (
        r"self-ship return",
        r"no pick-?up facility",
        r"^(?:this (?:product|item) )?(?:is )?(?:not )?eligible for (?:return|exchange)",
        r"^(?:free|express) (?:shipping|delivery)",
        r"^(?:delivered|ships|dispatched) (?:with)?in \d",
    ),
    "legal": (
        rf"^(?:disclaimer|note|please note|caution)\b.{{0,30}}\b(?:{_VARIES}|may vary|might vary|size|sizing)",
        rf"^(?:the |actual )?(?:final |inner )?(?:{_VARIES})s?\b.{{0,60}}\b(?:may|might) (?:slightly )?(?:vary|differ)\b",
    ),
    "model_statistics": (
        r"^(?:\w+[ -]){0,4}.{0,25}\bmodel\b.{0,60}\b(?:wears|wearing|height|has height)\b",
        r"^(?:the )?(?:product|size|model).{0,30}\b(?:is )?(?:a )?size \S+ on a model\b",
        r"^(?:the |our )?model (?:wears|is wearing|has)\b",
        rf"^\*?\s*{_BODY}\s*[-:\u2013]?\s*\d[\d.'\u2019\"\u201d ]*.*?(?:,|;|and|\s)\s*{_BODY}\b",
    ),
    "size": (
        rf"^(?:\w+[ -]){{0,3}}(?:{_MEASURE})s?\s*[:\-\u2013]?\s*{_FIGURES}\s*(?:{_UNIT})?(?:\s|[(,;.x\u00d7]|$).{{0,60}}$",
        rf"^(?:{_MEASURE})\b[^:]{{0,25}}:\s*\d[\d.]*\s*{_UNIT}\b.{{0,40}}$",
        rf"^\d[\d.,]*\s*(?:x\s*\d[\d.]*\s*)*{_UNIT}\.?$",
        rf"^(?:{_SHAPE})(?:[ -]fit)?(?:\s*[;,/]\s*(?:low|mid|high|regular)[ -]rise(?: fit)?)?\.?$",
        r"^(?:low|mid|high|regular)[ -]rise(?: fit)?$",
        r"^(?:this \w+ is )?designed to fit a",
        r"^refer (?:to )?(?:the )?size chart",
        r"^(?:free ?size|one size fits)",
    ),
}

# under an open section a line need only fit it: one of its words, and not longer than (characters)
_FITTING_PATTERNS: Final = {
    "care": (260, rf"\b(?:{_CARE_WORDS})\b"),
    "warranty": (200, r"warrant|guarantee|manufactur|defect|\b(?:year|yr|month)s?\b"),
    "delivery": (300, r"deliver|return|ship|exchange|dispatch|\bdays?\b"),
    "legal": (1000, r""),
    "model_statistics": (160, r"\bmodel\b|\d|\bsize\b"),
    "size": (60, rf"\b(?:{_SIZE_WORDS})\b|^[\d.]+"),
}

# what a story says; no line with it is care, size or statistics only because it stands under such a heading
_STORY_PATTERN: Final = (
    r"\b(?:you|your|you'll|pair (?:it|this|these|them)|team (?:it|this|these|them)|wear (?:it|this|these|them)|perfect for|"
    r"designed (?:for|to be)|comes? with|features?|has (?:a|an|been crafted)|made of|crafted|inspired|look (?:great|good))\b"
)


def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


HEADINGS: Final = {
    kind: re.compile(rf"(?:{_any(p).pattern})\s*[:\-.]*", re.IGNORECASE) for kind, p in _HEADING_PATTERNS.items()
}
"""A whole line that opens a section of that kind."""
LABELLED: Final = {
    kind: re.compile(rf"(?:{_any(_HEADING_PATTERNS[kind]).pattern})\s*:\s*\S", re.IGNORECASE)
    for kind in ("care", "warranty", "model_statistics", "size")
}
"""The beginning of a line that is heading and section in one: "Wash care: machine wash cold"."""
LINES: Final = {kind: _any(patterns) for kind, patterns in _LINE_PATTERNS.items()}
"""A line that is boilerplate wherever it stands."""
FITTING: Final = {kind: (most, re.compile(p, re.IGNORECASE)) for kind, (most, p) in _FITTING_PATTERNS.items()}
"""What a line must hold, and how long it may be, to belong to the section it stands in."""
STORY: Final = re.compile(_STORY_PATTERN, re.IGNORECASE)
NUMBERING: Final = re.compile(r"^\s*(?:\d{1,2}\s*[.)]\s*(?=\D)|[-*\u2022\u00b7>]+\s*)")
LEGAL_LEAD: Final = re.compile(
    r"^(the final product delivered (?:may|might) vary [^.\n]*\.) +(?=\S)", re.IGNORECASE | re.MULTILINE
)
"""A disclaimer that the description follows in the same line."""
