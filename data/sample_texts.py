"""Writes the titles and descriptions of the sample catalogue together with the maximal concepts that they name.

Every piece of text is built from `Phrase`s that carry their concepts, so the truth is right by construction. How a concept is written
(lemmas, units, what a verb leaves apart) follows the annotation guidelines that the language stage is measured with.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sample_drawing import Look

T = TypeVar("T")


@dataclass(frozen=True)
class Concept:
    """A maximal concept and the words that name it."""

    surface: str
    head: str
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phrase:
    """Words, and the concepts among them."""

    text: str
    concepts: tuple[Concept, ...] = ()


@dataclass(frozen=True)
class Product:
    """What is told about one product."""

    look: Look
    brand: str
    gender: str
    material: str
    detail: str = ""
    spellings: dict[str, str] = field(default_factory=dict)


BRANDS = ("Quillmere", "Fennwick", "Harrowby", "Norvale", "Larkfield", "Tamsin & Rook", "Osterholt", "Brindley Row")

# type -> spellings in titles, spellings in sentences; a head is the type itself
TITLES = {
    "t-shirt": ("T-shirt", "Tshirt", "T-Shirt", "T shirt"), "shirt": ("Shirt",), "sweater": ("Sweater",),
    "jacket": ("Jacket",), "dress": ("Dress",), "skirt": ("Skirt",), "trousers": ("Trousers",), "shorts": ("Shorts",),
    "handbag": ("Handbag",), "backpack": ("Backpack",), "sneaker": ("Sneakers", "Sneaker"), "boot": ("Boots",),
    "cap": ("Cap",), "scarf": ("Scarf",), "tie": ("Tie",), "poncho": ("Poncho",),
}  # fmt: skip
SENTENCE = {"t-shirt": ("t-shirt", "tshirt", "tee-shirt", "t-shirt"), "sneaker": ("sneakers",), "boot": ("boots",)}
PLURAL = {"trousers", "shorts", "sneaker", "boot"}

CATEGORY = {
    "t-shirt": "Apparel > Topwear > Tshirts", "shirt": "Apparel > Topwear > Shirts", "sweater": "Apparel > Topwear > Sweaters",
    "jacket": "Apparel > Topwear > Jackets", "poncho": "Apparel > Topwear > Ponchos", "dress": "Apparel > Dress > Dresses",
    "skirt": "Apparel > Bottomwear > Skirts", "trousers": "Apparel > Bottomwear > Trousers",
    "shorts": "Apparel > Bottomwear > Shorts", "handbag": "Accessories > Bags > Handbags",
    "backpack": "Accessories > Bags > Backpacks", "cap": "Accessories > Headwear > Caps", "scarf": "Accessories > Scarves > Scarves",
    "tie": "Accessories > Ties > Ties", "sneaker": "Footwear > Shoes > Sneakers", "boot": "Footwear > Shoes > Boots",
}  # fmt: skip

MATERIALS = {
    "handbag": ("leather", "canvas"), "backpack": ("canvas", "nylon"), "sneaker": ("canvas", "mesh"), "boot": ("leather", "suede"),
        "cap": ("cotton", "wool"), "scarf": ("wool", "silk"), "tie": ("silk",), "poncho": ("wool",), "sweater": ("wool", "cotton"),
    "t-shirt": ("cotton",), "jacket": ("denim", "leather", "nylon"), "skirt": ("cotton", "denim"),
    "trousers": ("cotton", "linen"), "shorts": ("cotton", "linen"),
}  # fmt: skip

# what a verb may give a type; each is (words, head, modifiers)
DETAILS: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "t-shirt": (("a ribbed collar", "collar", ("ribbed",)), ("a curved hem", "hem", ("curved",))),
    "shirt": (("a chest pocket", "pocket", ("chest",)), ("buttoned cuffs", "cuff", ("buttoned",)),
              ("a spread collar", "collar", ("spread",))),
    "sweater": (("a ribbed hem", "hem", ("ribbed",)), ("ribbed cuffs", "cuff", ("ribbed",))),
    "jacket": (("a front zip", "zip", ("front",)), ("two side pockets", "pocket", ("side",)), ("a notched lapel", "lapel", ("notched",))),
    "dress": (("a flared hem", "hem", ("flared",)), ("a narrow belt", "belt", ("narrow",))),
    "skirt": (("an elasticated waistband", "waistband", ("elasticated",)), ("a flared hem", "hem", ("flared",))),
    "trousers": (("two side pockets", "pocket", ("side",)), ("a buttoned waistband", "waistband", ("buttoned",))),
    "shorts": (("an elasticated waistband", "waistband", ("elasticated",)), ("two side pockets", "pocket", ("side",))),
    "handbag": (("an arched handle", "handle", ("arched",)), ("a metal clasp", "clasp", ("metal",))),
    "backpack": (("padded straps", "strap", ("padded",)), ("a front pocket", "pocket", ("front",))),
    "sneaker": (("a rubber sole", "sole", ("rubber",)), ("white laces", "lace", ("white",))),
    "boot": (("a low heel", "heel", ("low",)), ("a rubber sole", "sole", ("rubber",))),
    "cap": (("a curved brim", "brim", ("curved",)),),
    "scarf": (("a fringed hem", "hem", ("fringed",)),),
    "tie": (("a pointed tip", "tip", ("pointed",)),),
    "poncho": (("a fringed hem", "hem", ("fringed",)),),
}  # fmt: skip

MARKETING = (
    "A perfect companion for lazy weekends.", "Make heads turn wherever you go.", "Add some zing to your attire this season.",
    "You will love it from the very first day.", "Comfort and style go hand in hand here.", "It\u2019s an all-time favourite.",
    "Because you deserve the best.", "Wear it with jeans for a great look.", "Team it with your favourite pair of trainers.",
)  # fmt: skip

CARE = {
    "apparel": "Wash care\nMachine wash cold\nDo not bleach\nWarm iron",
    "shoes": "Shoe care\nWipe surface with a soft, clean cloth to remove dust\nDo not machine wash",
    "bags": "Bag care\nWipe surface with a dry, clean cloth to remove dust",
}
WARRANTY = "Warranty: 6 months\nWarranty provided by Brand Owner / Manufacturer"
MODEL = 'Model statistics\nThe model wears size M\nHeight-5\'8", Chest-33"'

_PATTERN_TITLE = {
    "striped": "Striped",
    "checked": "Checked",
    "floral": "Floral Print",
    "dotted": "Polka Dot",
    "zigzag": "Zigzag Print",
}
_PATTERN_UNIT = {
    "striped": "striped",
    "checked": "checked",
    "floral": "floral print",
    "dotted": "polka dot",
    "zigzag": "zigzag print",
}
_PATTERN_OWN = {"floral": ("print", "floral"), "dotted": ("dot", "polka"), "zigzag": ("print", "zigzag")}
_PATTERN_NOUN = {"striped": "stripe", "dotted": "dot", "checked": "check", "zigzag": "zigzag", "floral": "flower"}
_NECK_WORDS = {"round": "round neck", "v-neck": "v-neck", "polo": "polo collar", "high": "high neck"}
_GENDERS = {"Men": "men", "Women": "women", "Boys": "boys", "Girls": "girls", "Unisex": "unisex", "Kids": "kids"}


def unit(words: str) -> tuple[Concept, ...]:
    """The concept that a modifier of two words is by itself: "short sleeve" -> sleeve [short]; "v-neck" -> v-neck."""
    *modifiers, head = words.split(" ")
    if modifiers or head == "v-neck":
        return (Concept(words, head, tuple(modifiers)),)
    return ()


def title(product: Product, rng: random.Random) -> Phrase:
    """A title as shops write them, in one of four orders."""
    look, spelled = product.look, _pick(rng, TITLES[product.look.kind])
    sleeve, sleeve_unit = _sleeve_title(look, rng)
    pattern = _PATTERN_TITLE.get(look.pattern, "")
    style = rng.random()
    gender = product.gender + ("'s" if rng.random() < 0.2 and product.gender in ("Men", "Women") else "")
    colour = look.colour.title()
    if style < 0.2 and look.sleeve in ("short", "long"):
        noun = " ".join(part for part in (gender, pattern, spelled) if part)
        words = f"{noun} in {colour} with {look.sleeve.title()} Sleeves"
        mods = [_GENDERS[product.gender], _pattern_unit(look), look.colour, f"{look.sleeve} sleeve"]
        own: tuple[Concept, ...] = (Concept(f"{look.sleeve.title()} Sleeves", "sleeve", (look.sleeve,)),)
    elif style < 0.35:
        noun = " ".join(part for part in (gender, pattern, spelled) if part)
        words, own = f"{noun} in {colour}", ()
        mods = [_GENDERS[product.gender], _pattern_unit(look), look.colour]
    else:
        order = [colour, pattern, sleeve] if style < 0.7 else [sleeve, colour, pattern]
        words = " ".join(part for part in (gender, *order, spelled) if part)
        mods = [_GENDERS[product.gender], look.colour, _pattern_unit(look), sleeve_unit]
        own = tuple(Concept(sleeve, c.head, c.modifiers) for c in unit(sleeve_unit)) if sleeve else ()
    own += _own_pattern(pattern, look)
    return Phrase(f"{product.brand} {words}", (Concept(words, look.kind, _kept(mods)), *own))


def description(product: Product, rng: random.Random) -> Phrase:
    """Two or three lines: the product, what it has, and at times a line that sells."""
    lines = [_pick(rng, (_plain_line, _with_line, _this_line, _made_line))(product, rng)]
    lines.append(_has_line(product, rng))
    if rng.random() < 0.55:
        lines.append(Phrase(_pick(rng, MARKETING)))
    if rng.random() < 0.3:
        lines.insert(0, Phrase(_pick(rng, MARKETING[:5])))
    return _join(lines, "\n" if rng.random() < 0.5 else " ")


def boilerplate(product: Product, rng: random.Random) -> list[str]:
    """Sections that tell nothing about the product; none for half of them."""
    group = {"Apparel": "apparel", "Footwear": "shoes"}.get(CATEGORY[product.look.kind].split(" > ")[0], "bags")
    sections = [CARE[group]] if rng.random() < 0.4 else []
    if group == "apparel" and rng.random() < 0.2:
        sections.append(MODEL)
    if group != "apparel" and rng.random() < 0.3:
        sections.append(WARRANTY)
    return sections


def _plain_line(product: Product, rng: random.Random) -> Phrase:
    """White striped short sleeve t-shirt with a round neck."""
    noun = _prenominal(product, rng, material=rng.random() < 0.3)
    neck = _NECK_WORDS.get(product.look.neck, "")
    if not neck or rng.random() < 0.4:
        return _sentence(noun)
    words = f"{noun.text} with a {neck}"
    first = noun.concepts[0]
    whole = Concept(words, first.head, _kept([*first.modifiers, neck]))
    return _sentence(Phrase(words, (whole, *noun.concepts[1:], *unit(neck))))


def _with_line(product: Product, rng: random.Random) -> Phrase:
    """A t-shirt in white with short sleeves and a round neck."""
    look = product.look
    pattern = _pattern_unit(look) if look.pattern in ("floral", "dotted", "zigzag") and rng.random() < 0.5 else ""
    noun = " ".join(part for part in (pattern, _noun(product, rng)) if part)
    words, mods = f"{noun} in {look.colour}", [pattern, look.colour]
    own: list[Concept] = list(_own_pattern(pattern, look))
    extras: list[str] = []
    if not pattern and look.pattern in ("striped", "dotted"):
        thing = _PATTERN_NOUN[look.pattern]
        extras.append(f"{look.pattern_colour} {thing}s")
        mods.append(f"{look.pattern_colour} {thing}")
        own.append(Concept(extras[-1], thing, (look.pattern_colour,)))
    if look.sleeve in ("short", "long"):
        extras.append(f"{look.sleeve} sleeves")
        mods.append(f"{look.sleeve} sleeve")
        own.append(Concept(extras[-1], "sleeve", (look.sleeve,)))
    if look.neck:
        neck = _NECK_WORDS[look.neck]
        extras.append(f"a {neck}")
        mods.append(neck)
        own += unit(neck)
    if extras:
        words += " with " + _and(extras)
    phrase = Phrase(words, (Concept(words, look.kind, _kept(mods)), *own))
    if look.kind in PLURAL:
        return _sentence(phrase)
    return Phrase(f"{'An' if words[0] in 'aeiou' else 'A'} {words}.", phrase.concepts)


def _this_line(product: Product, rng: random.Random) -> Phrase:
    """This white t-shirt comes from Quillmere."""
    noun = _prenominal(product, rng, material=False)
    opening, verb = ("These", "come") if product.look.kind in PLURAL else ("This", "comes")
    return Phrase(f"{opening} {noun.text} {verb} from {product.brand}.", noun.concepts)


def _made_line(product: Product, rng: random.Random) -> Phrase:
    """White t-shirt made of 100% cotton."""
    noun = _prenominal(product, rng, material=False)
    first = noun.concepts[0]
    words = f"{noun.text} made of 100% {product.material}"
    whole = Concept(words, first.head, _kept([*first.modifiers, product.material]))
    return _sentence(Phrase(words, (whole, *noun.concepts[1:], Concept(product.material, product.material))))


def _has_line(product: Product, rng: random.Random) -> Phrase:
    """It has short sleeves and a round neck. What a verb gives stands by itself."""
    look = product.look
    parts = [
        Phrase(words, (Concept(_bare(words), head, mods),)) for words, head, mods in _draw(rng, DETAILS[look.kind], 2)
    ]
    if look.sleeve in ("short", "long"):
        parts.append(Phrase(f"{look.sleeve} sleeves", (Concept(f"{look.sleeve} sleeves", "sleeve", (look.sleeve,)),)))
    if look.neck and look.neck != "high":
        neck = _NECK_WORDS[look.neck]
        parts.append(Phrase(f"a {neck}", unit(neck)))
    parts = [parts[i] for i in sorted(range(len(parts)), key=lambda _: rng.random())]
    verb = _pick(rng, ("have", "feature") if look.kind in PLURAL else ("has", "features"))
    subject = "They" if look.kind in PLURAL else "It"
    return Phrase(f"{subject} {verb} {_and([p.text for p in parts])}.", tuple(c for p in parts for c in p.concepts))


def _prenominal(product: Product, rng: random.Random, *, material: bool) -> Phrase:
    look = product.look
    sleeve = (
        {"sleeveless": "sleeveless", "": ""}.get(look.sleeve, f"{look.sleeve} sleeve") if rng.random() < 0.7 else ""
    )
    pattern = _pattern_unit(look)
    cloth = product.material if material else ""
    order = [look.colour, pattern, sleeve, cloth] if rng.random() < 0.6 else [sleeve, look.colour, pattern, cloth]
    words = " ".join(part for part in (*order, _noun(product, rng)) if part)
    own = (*(unit(sleeve) if sleeve else ()), *_own_pattern(pattern, look))
    return Phrase(words, (Concept(words, look.kind, _kept(order)), *own))


def _noun(product: Product, rng: random.Random) -> str:
    return _pick(rng, SENTENCE.get(product.look.kind, (product.look.kind,)))


def _sleeve_title(look: Look, rng: random.Random) -> tuple[str, str]:
    if not look.sleeve or look.kind in ("sweater", "jacket") or rng.random() < 0.45:
        return "", ""
    if look.sleeve == "sleeveless":
        return "Sleeveless", "sleeveless"
    return f"{look.sleeve.title()} Sleeve", f"{look.sleeve} sleeve"


def _pattern_unit(look: Look) -> str:
    return _PATTERN_UNIT.get(look.pattern, "")


def _own_pattern(surface: str, look: Look) -> tuple[Concept, ...]:
    if not surface or look.pattern not in _PATTERN_OWN:
        return ()
    head, modifier = _PATTERN_OWN[look.pattern]
    return (Concept(surface, head, (modifier,)),)


def _sentence(phrase: Phrase) -> Phrase:
    """The phrase with a capital and a full stop; surfaces follow the capital."""
    text = phrase.text[0].upper() + phrase.text[1:]
    concepts = tuple(
        Concept(text[: len(c.surface)], c.head, c.modifiers) if phrase.text.startswith(c.surface) else c
        for c in phrase.concepts
    )
    return Phrase(f"{text}.", concepts)


def _join(lines: Sequence[Phrase], separator: str) -> Phrase:
    return Phrase(separator.join(p.text for p in lines), maximal([c for p in lines for c in p.concepts]))


def maximal(concepts: Sequence[Concept]) -> tuple[Concept, ...]:
    """Each concept once, without those that an earlier one of the same head takes in; a bare head only where it stands alone."""
    kept: list[Concept] = []
    for concept in concepts:
        mods = frozenset(concept.modifiers)
        if any(c.head == concept.head and mods <= frozenset(c.modifiers) for c in kept):
            continue
        kept = [c for c in kept if c.head != concept.head or not frozenset(c.modifiers) < mods or c.modifiers]
        kept.append(concept)
    return tuple(kept)


def _kept(modifiers: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(modifier for modifier in modifiers if modifier))


def _bare(words: str) -> str:
    first, _, rest = words.partition(" ")
    return rest if first in ("a", "an", "two") else words


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _pick(rng: random.Random, values: Sequence[T]) -> T:
    return values[int(rng.random() * len(values))]


def _draw(rng: random.Random, values: Sequence[T], most: int) -> list[T]:
    count = 1 + int(rng.random() * min(most, len(values)))
    return sorted(values, key=lambda _: rng.random())[:count]
