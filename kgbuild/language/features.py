"""What the concept model looks at: features of an atom, and of a pair of atoms, as short strings.

The parse gives tags and arcs, the lexicon gives word classes, the text gives order, casing and what stands between.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kgbuild.language.atoms import Atoms
from kgbuild.language.canonical import singular
from kgbuild.language.lexicon import Lexicon, words_of

_EDGE = "<>"
_FUNCTION = frozenset(
    {"IN", "CC", "DT", "TO", ",", ":", ".", "RP", "WDT", "PRP", "PRP$", "MD", "HYPH", "WRB", "WP", "POS"}
)


@dataclass
class Context:
    """An atom list with what many features share, computed once a text."""

    atoms: Atoms
    is_title: bool
    classes: list[tuple[str, ...] | list[str]]
    caps: list[str]
    last_cap: list[str]
    last_verb: list[str]
    last_prep: list[str]
    in_title: list[str]


def context_of(atoms: Atoms, lexicon: Lexicon, *, is_title: bool, title: str = "") -> Context:
    """Look up word classes and run once over the text for the last capital, verb and preposition before each atom.

    `title` is the product's title when the text is another one: what the title names, the description speaks of.
    """
    classes = [lexicon.of(word, lemma) for word, lemma in zip(atoms.word, atoms.lemma, strict=True)]
    caps, last_cap, last_verb, last_prep = [], [], [], []
    cap = verb = prep = _EDGE
    for place, raw in enumerate(atoms.raw):
        first = raw[:1]
        shape = "X" if raw.isupper() and len(raw) > 1 else "C" if first.isupper() else "d" if first.isdigit() else "l"
        caps.append(shape)
        if shape in "CX":
            cap = atoms.word[place]
        last_cap.append(cap)
        last_verb.append(verb)
        last_prep.append(prep)
        tag = atoms.tag[place]
        if tag.startswith("VB"):
            verb = atoms.word[place]
            prep = "V"
        elif tag in ("IN", "TO"):
            prep = atoms.word[place]
        elif tag in (",", "CC"):
            prep = prep if prep.endswith(",") else prep + ","
        elif tag in (".", ":"):
            prep = _EDGE
    named = [] if is_title else [singular(word) for word in words_of(title)]
    last = named[-1] if named else ""
    words = set(named)
    in_title = ["2" if lemma == last else "1" if lemma in words else "0" for lemma in atoms.lemma]
    return Context(atoms, is_title, classes, caps, last_cap, last_verb, last_prep, in_title)


def atom_features(context: Context, place: int) -> list[str]:
    """Features of one atom for "heads a concept" and "is part of a modifier"."""
    a, c = context.atoms, context.classes
    n = len(a)
    title = "T" if context.is_title else "D"
    lemma, tag = a.lemma[place], a.tag[place]
    fine, middle, coarse, brand, spread, end = c[place]
    out = ["b", title, f"w{lemma}", f"W{title}{lemma}", f"t{tag}", f"d{a.dep[place]}", f"td{tag}{a.dep[place]}"]
    out += [f"1{fine}", f"2{middle}", f"3{coarse}{title}", f"B{title}{brand}{spread}", f"E{title}{end}{brand}"]
    shape = context.caps[place]
    out += [f"s{title}{shape}", f"sw{shape}{lemma}", f"x{a.word[place][-3:]}", f"x2{a.word[place][-2:]}{tag}"]
    out += [f"#{title}{min(place, 6)}", f"%{title}{min(n - 1 - place, 4)}"]
    for offset in (-3, -2, -1, 1, 2, 3):
        other = place + offset
        if 0 <= other < n:
            word, cls = a.lemma[other], c[other]
            out += [f"{offset}w{word}", f"{offset}2{cls[1]}", f"{offset}t{a.tag[other]}"]
            if abs(offset) == 1:
                out += [f"{offset}ww{word}|{lemma}", f"{offset}c{cls[1]}|{lemma}", f"{offset}cc{cls[1]}|{middle}"]
                out += [
                    f"{offset}t{tag}{a.tag[other]}{a.dep[other]}",
                    f"{offset}1{cls[0]}",
                    f"{offset}s{title}{context.caps[other]}{shape}",
                ]
                out += [f"{offset}c3{title}{cls[2]}|{coarse}"]
        else:
            out.append(f"{offset}{_EDGE}{title}")
            if abs(offset) == 1:
                out.append(f"{offset}c3{title}|{coarse}")
    before = a.lemma[place - 1] if place else _EDGE
    after = a.lemma[place + 1] if place + 1 < n else _EDGE
    out += [
        f"ba{before}|{after}",
        f"tt{a.tag[place - 1] if place else _EDGE}{tag}{a.tag[place + 1] if place + 1 < n else _EDGE}",
    ]
    out += [f"v{context.last_verb[place]}", f"p{context.last_prep[place]}", f"pc{context.last_prep[place]}{coarse}"]
    out += [f"vp{context.last_verb[place]}{context.last_prep[place]}", f"C{context.last_cap[place]}"]
    if not context.is_title:
        named = context.in_title[place]
        out += [f"N{named}", f"N{named}{coarse}", f"N{named}{tag}", f"N{named}{context.last_verb[place]}"]
    parent = a.head[place]
    out += [f"g{a.lemma[parent]}|{a.dep[place]}", f"gt{a.tag[parent]}{a.dep[place]}", f"g2{c[parent][1]}{a.dep[place]}"]
    return out


@dataclass
class Roles:
    """Per atom: probability of heading a listed concept, of being a whole (listed or with parts), of being a part."""

    listed: list[float]
    whole: list[float]
    part: list[float]
    signs: list[str] = field(
        default_factory=list, repr=False
    )  # what `between` calls each atom, made when first asked for


def _level(p: float) -> str:
    return "0" if p < 0.02 else "1" if p < 0.1 else "2" if p < 0.3 else "3" if p < 0.7 else "4" if p < 0.9 else "5"


@dataclass
class Decided:
    """The links decided so far, as pairs and by the modifier."""

    pairs: set[tuple[int, int]] = field(default_factory=set)
    above: dict[int, list[int]] = field(default_factory=dict)

    def add(self, part: int, whole: int) -> None:
        """One link more."""
        self.pairs.add((part, whole))
        self.above.setdefault(part, []).append(whole)


def between(context: Context, roles: Roles, first: int, last: int) -> list[str]:
    """What stands strictly between two atoms: W a whole, m a modifier, function words as they are, verbs, o the rest."""
    if not roles.signs:
        roles.signs = [_sign(context.atoms, roles, place) for place in range(len(context.atoms))]
    signs: list[str] = []
    for sign in roles.signs[first + 1 : last]:
        if sign != "m" or not signs or signs[-1] != "m":
            signs.append(sign)
    return signs


def _sign(a: Atoms, roles: Roles, place: int) -> str:
    word, tag = a.word[place], a.tag[place]
    if roles.whole[place] > 0.4:
        return "W"
    if roles.part[place] > 0.4:
        return "m"
    if tag in _FUNCTION or not word.isalpha():
        return word if word.isalpha() else "%" if word.isdigit() else word[:1]
    return "v:" + word if tag.startswith("VB") else "o"


def pair_features(context: Context, roles: Roles, part: int, whole: int, linked: Decided) -> list[str]:
    """Features of "atom `part` modifies atom `whole`"; `linked` holds the links decided so far."""
    a, c = context.atoms, context.classes
    title = "T" if context.is_title else "D"
    low, high = (part, whole) if part < whole else (whole, part)
    side = "<" if part < whole else ">"
    gap = high - low
    distance = f"{side}{gap if gap < 6 else 6 if gap < 9 else 9 if gap < 14 else 14 if gap < 25 else 25}"
    signs = between(context, roles, low, high)
    wholes = signs.count("W")
    route = " ".join(signs) if len(signs) < 9 else " ".join(signs[:3]) + ".." + " ".join(signs[-4:])
    short = " ".join(s for s in signs if s not in ("m", "o"))
    pl, wl, pt, wt = a.lemma[part], a.lemma[whole], a.tag[part], a.tag[whole]
    p1, p2, p3 = c[part][:3]
    w1, w2, w3 = c[whole][:3]
    prep = context.last_prep[part]
    at = f"{side}{title}"
    out = [at, f"d{title}{distance}", f"n{side}{min(wholes, 4)}", f"dn{distance}{min(wholes, 3)}"]
    out += [
        f"pw{side}{pl}|{wl}",
        f"p{at}{pl}",
        f"w{at}{wl}",
        f"p2w{side}{p2}|{wl}",
        f"pw2{side}{pl}|{w2}",
        f"22{side}{p2}|{w2}",
        f"33{at}{p3}|{w3}",
    ]
    out += [f"pd{distance}{pl}", f"wd{distance}{wl}", f"tt{distance}{pt}{wt}", f"11{side}{p1}|{w1}"]
    out += [
        f"r{side}{route}",
        f"rs{side}{short}",
        f"rp{side}{short}|{pl}",
        f"rw{side}{short}|{wl}",
        f"r2{side}{route}|{p2}",
        f"rw2{side}{route}|{w2}",
    ]
    out += [
        f"r33{side}{short}|{p3}|{w3}",
        f"q{side}{prep}",
        f"qp{side}{prep}|{pl}",
        f"qw{side}{prep}|{wl}",
        f"qn{side}{prep}{min(wholes, 2)}{title}",
    ]
    out += [f"v{side}{any(s.startswith('v:') for s in signs)}", f"k{side}{',' in signs}{'and' in signs}"]
    out += [
        f"N{context.in_title[part]}{context.in_title[whole]}{at}",
        f"Nq{context.in_title[whole]}{prep}{side}{min(wholes, 2)}",
    ]
    caps = sum(context.caps[i] in "CX" for i in range(low + 1, high + 1))
    out.append(f"cap{at}{min(caps, 3)}")
    listed, is_part = _level(roles.listed[part]), _level(roles.part[part])
    out += [
        f"R{side}{listed}{is_part}{_level(roles.whole[whole])}",
        f"Rn{side}{listed}{is_part}{min(wholes, 2)}{prep}",
        f"Rd{distance}{listed}{is_part}",
    ]
    after_part = a.word[part + 1] if part + 1 < len(a) else _EDGE
    after_whole = a.word[whole + 1] if whole + 1 < len(a) else _EDGE
    before_part = a.word[part - 1] if part else _EDGE
    before_whole = a.word[whole - 1] if whole else _EDGE
    out += [
        f"ap{side}{after_part}",
        f"bp{side}{before_part}",
        f"aw{side}{after_whole}",
        f"bw{side}{before_whole}",
        f"aa{side}{after_part}|{after_whole}",
    ]
    out += [f"bpp{side}{before_part}|{pl}", f"awq{side}{after_whole}|{prep}"]
    out += _arc_features(a, part, whole, side)
    out += _history(context, roles, part, whole, linked, short)
    if part > whole:
        out += _list_features(context, roles, part, whole, linked)
    return out


def _list_features(context: Context, roles: Roles, part: int, whole: int, linked: Decided) -> list[str]:
    """How a later part hangs on: "shirt with S, S on the x, PART" reads as mode "with", tail ",".

    Between the two, what already modifies the whole is S, what belongs to such an S is left out together with the words that led
    to it, any other whole is X. The mode is the last word that led to an S, commas and "and" aside; the tail what follows the last S.
    """
    a = context.atoms
    first = part
    while first - 1 > whole and ((first - 1, part) in linked.pairs or a.tag[first - 1] in _LEADS):
        first -= 1
    mode, foreign, family, taken = "", 0, {whole}, 0
    tail: list[str] = []
    pending: list[str] = []
    for place in range(whole + 1, first):
        above = linked.above.get(place, ())
        if any(place < w < first and w < place + 6 for w in above):
            continue  # a modifier before its noun says nothing here
        above = [w for w in above if place - 30 <= w < place and w in family]
        if whole in above:
            lead = [w for w in tail + pending if w not in _LIST]
            mode, tail, pending = (lead[-1] if lead else mode or ",") if (tail + pending) else mode, [], []
            family.add(place)
            taken += 1
        elif above:
            family.add(place)
            pending = []
        elif roles.whole[place] > 0.4:
            foreign += 1
            tail, pending = [*tail, *pending, "X"], []
        elif a.tag[place] not in _LEADS and _is_sign(a, place):
            pending.append(a.word[place])
    end = " ".join((tail + pending)[-4:])
    others = sum(whole < w < part for w in linked.above.get(part, ()))
    caps = any(context.caps[i] in "CX" for i in range(whole + 1, part + 1))
    state = f"{min(foreign, 2)}{min(others, 2)}"
    out = [
        f"M{mode}|{end}|{state}",
        f"M{mode}|{end}",
        f"Me{end}|{state}",
        f"Mm{mode}|{state}",
        f"Mc{mode}|{end}|{caps}{context.is_title}",
    ]
    out += [
        f"Mp{mode}|{end}|{a.lemma[part]}",
        f"Mw{mode}|{end}|{a.lemma[whole]}",
        f"M2{end}|{context.classes[part][2]}{context.classes[whole][2]}",
    ]
    out += [
        f"Mt{min(taken, 3)}{state}{end}",
        f"Mo{min(others, 2)}{a.lemma[part]}",
        f"Mpw{mode}|{context.classes[part][1]}|{context.classes[whole][1]}",
    ]
    return out


def _is_sign(a: Atoms, place: int) -> bool:
    return a.tag[place] in _FUNCTION or a.tag[place].startswith("VB") or not a.word[place].isalpha()


_LEADS = frozenset({"DT", "CD", "PRP$", "PDT", "$", "NFP"})
_LIST = frozenset({",", "and", "&", "or", ";", "+", "X"})


def _arc_features(a: Atoms, part: int, whole: int, side: str) -> list[str]:
    if a.head[part] == whole:
        return [f"A{side}{a.dep[part]}", f"At{a.dep[part]}{a.tag[part]}"]
    if a.head[whole] == part:
        return [f"Ar{side}{a.dep[whole]}"]
    path, place = a.dep[part], a.head[part]
    for _ in range(3):
        path += "/" + a.dep[place]
        if a.head[place] == whole:
            return [f"A{side}{path}", f"Aup{side}"]
        if a.head[place] == place:
            break
        place = a.head[place]
    if a.head[part] == a.head[whole]:
        return [f"As{side}{a.dep[part]}{a.dep[whole]}"]
    return [f"A-{side}{a.dep[part]}", f"A-w{side}{a.dep[whole]}"]


def _history(context: Context, roles: Roles, part: int, whole: int, linked: Decided, short: str) -> list[str]:
    """What the nodes between already do: to the same whole, to another, to nothing."""
    a = context.atoms
    if part < whole:  # the nearest candidate to the right of the part
        for place in range(part + 1, whole):
            if roles.part[place] > 0.3 or roles.whole[place] > 0.3:
                state = "=" if (place, whole) in linked.pairs else "-"
                mine = "i" if (part, place) in linked.pairs else "n"
                return [
                    f"h<{state}{mine}",
                    f"h<{state}{mine}{short}",
                    f"h<{state}{mine}{a.lemma[part]}",
                    f"h<{state}{mine}{a.tag[part]}{a.tag[place]}",
                ]
        return ["h<"]
    for place in range(part - 1, whole, -1):  # the nearest whole before the part, other than its own modifiers
        if roles.whole[place] > 0.4 and (place, part) not in linked.pairs:
            state = "=" if (place, whole) in linked.pairs else "-"
            gap = ",".join(a.word[i] for i in range(place + 1, part) if a.tag[i] in _FUNCTION)
            other = "o" if any((part, p) in linked.pairs for p in (place,)) else "n"
            return [
                f"h>{state}{other}",
                f"h>{state}{other}{gap}",
                f"h>{state}{context.last_prep[part]}",
                f"h>{state}{other}{a.lemma[part]}",
            ]
    return ["h>", f"h>{context.last_prep[part]}"]


def settled_features(context: Context, roles: Roles, place: int, near: Near) -> list[str]:
    """Features of "this atom heads a listed concept" once the links are known, beside its `atom_features`."""
    a = context.atoms
    before, after = near.before.get(place, 0), near.after.get(place, 0)
    level = _level(roles.listed[place])
    out = [
        f"L{level}",
        f"Lb{level}{min(before, 2)}{min(after, 2)}",
        f"Lw{min(before, 1)}{min(after, 1)}{a.lemma[place]}",
    ]
    above = near.above.get(place, [])
    kinds = sorted({("<" if place < whole else ">") + ("n" if whole - place == 1 else "f") for whole in above})
    state = "".join(kinds)
    out += [
        f"La{state}",
        f"La{level}{state}{min(before, 1)}{min(after, 1)}",
        f"Law{state}{min(before, 1)}{a.lemma[place]}",
    ]
    out += [
        f"Lac{state}{min(before, 1)}{context.classes[place][1]}",
        f"Lt{state}{min(before, 1)}{min(after, 1)}{context.is_title}{a.tag[place]}",
    ]
    out += [
        f"Lp{state}{min(before, 1)}{context.last_prep[place]}",
        f"Lp{state}{context.last_prep[place]}{context.classes[place][2]}",
    ]
    out += [f"Lh{level}{_level(roles.listed[whole])}{whole - place == 1}" for whole in above[:2]]
    return out


@dataclass
class Near:
    """The links seen from each atom: how many parts before and after it, and the wholes above it."""

    before: dict[int, int]
    after: dict[int, int]
    above: dict[int, list[int]]


def near_of(links: set[tuple[int, int]]) -> Near:
    """Count the links by end."""
    near = Near({}, {}, {})
    for part, whole in sorted(links):
        side = near.before if part < whole else near.after
        side[whole] = side.get(whole, 0) + 1
        near.above.setdefault(part, []).append(whole)
    return near
