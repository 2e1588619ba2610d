"""Makes the sample catalogue under data/sample: drawn garments whose type, colour, pattern, sleeves and neck are known.

    python data/make_sample.py            # writes data/sample
    python data/make_sample.py --out DIR  # elsewhere

Running it again gives the same bytes. It writes catalogue.jsonl and new_arrivals.jsonl (rows as a shop would export them, some of
them bad on purpose), images/, kgbuild.toml, truth.jsonl (what each product shows and which maximal concepts each of its texts names)
and expected_rejects.jsonl (what an ingest of catalogue.jsonl must report).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from sample_drawing import Look, picture  # the sibling modules of this script
from sample_texts import (
    BRANDS,
    CATEGORY,
    DETAILS,
    MATERIALS,
    PLURAL,
    SENTENCE,
    Concept,
    Phrase,
    Product,
    boilerplate,
    description,
    title,
)

SEED = "kgbuild sample 1"
CATALOGUE_ROWS, ARRIVAL_ROWS = 400, 40
KINDS = (
    "t-shirt",
    "shirt",
    "dress",
    "skirt",
    "trousers",
    "shorts",
    "sweater",
    "jacket",
    "handbag",
    "backpack",
    "sneaker",
    "boot",
    "cap",
    "scarf",
)
KIND_WEIGHTS = (16, 12, 14, 7, 7, 6, 9, 7, 6, 5, 6, 4, 4, 4)
COLOURS = ("black", "white", "grey", "red", "maroon", "navy blue", "sky blue", "blue", "green", "olive green", "yellow", "orange", "pink",
           "purple", "brown", "beige")  # fmt: skip
COLOUR_WEIGHTS = (10, 10, 5, 9, 3, 8, 4, 8, 6, 3, 5, 3, 6, 4, 5, 3)
PATTERNS = ("plain", "striped", "checked", "floral", "dotted")
PATTERN_WEIGHTS = (40, 20, 12, 14, 10)
PATTERNED = {
    "t-shirt",
    "shirt",
    "dress",
    "skirt",
    "sweater",
    "shorts",
    "scarf",
    "handbag",
    "backpack",
    "cap",
    "tie",
    "poncho",
    "trousers",
}
GENDERS = {
    "dress": ("Women", "Girls"),
    "skirt": ("Women", "Girls"),
    "handbag": ("Women",),
    "tie": ("Men",),
    "poncho": ("Women",),
}
SLEEVES = {"t-shirt": ("short", "short", "long", "sleeveless"), "shirt": ("long", "short"), "dress": ("sleeveless", "short", "long"),
           "sweater": ("long",), "jacket": ("long",)}  # fmt: skip
NECKS = {
    "t-shirt": ("round", "round", "v-neck", "polo"),
    "dress": ("round", "v-neck"),
    "sweater": ("round", "v-neck", "high"),
}
LIGHT = {"white", "yellow", "beige", "sky blue", "pink"}

RED_SHIRT = Product(Look("shirt", "red", sleeve="long"), "Norvale", "Women", "cotton")

CONFIG = """\
# The sample catalogue: data/make_sample.py drew it. Paths are relative to this file.
[catalogue]
path = "catalogue.jsonl"
image_root = "."

[catalogue.columns]
id = "id"
title = "title"
texts = ["description", "style_note"]
images = ["images"]
brand = "brand"
category = ["category"]
category_separator = ">"
attributes = ["gender", "attributes"]
split = "split"

[concepts]
min_products = 3

[prototypes]
k = 5
pool_size = 20

[batches]
batch_size = 64
"""


@dataclass(frozen=True)
class Entry:
    """One product as it is told and drawn; `picture_seed` and the rest say how its picture is made."""

    id: str
    product: Product
    title: Phrase
    description: Phrase
    style_note: Phrase
    sections: tuple[str, ...]
    dress_up: str
    picture_seed: str
    quality: int = 82
    shift: int = 0
    second_picture: bool = False
    twin_of: str = ""
    split: str = "train"


def main() -> None:
    """Write the sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "sample")
    out: Path = parser.parse_args().out
    write_sample(out)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{out}: {size / 1e6:.2f} MB in {sum(1 for f in out.rglob('*') if f.is_file())} files")


def write_sample(out: Path, *, every: int = 1) -> None:
    """Write all files of the sample into `out`, after removing what an earlier run left in its images folder.

    Args:
        out: the folder.
        every: draw only the pictures of every so-many-th product, for a quick test.
    """
    shutil.rmtree(out / "images", ignore_errors=True)
    (out / "images").mkdir(parents=True)
    rng = random.Random(SEED)
    entries = list(_with_twins(_entries(rng, CATALOGUE_ROWS, start=10001, new=False), rng))
    arrivals = list(_entries(rng, ARRIVAL_ROWS, start=20001, new=True))
    for entry in [*entries, *arrivals][::every]:
        _write_pictures(entry, out)
    rows = [_row(entry) for entry in entries]
    lines, expected = _with_bad_rows(rows, out)
    (out / "catalogue.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    _write_json_lines(out / "new_arrivals.jsonl", (_row(entry) for entry in arrivals))
    truth = [_truth(entry, arrival=False) for entry in [*entries, *_truth_of_bad_rows(entries)]]
    _write_json_lines(out / "truth.jsonl", [*truth, *(_truth(entry, arrival=True) for entry in arrivals)])
    _write_json_lines(out / "expected_rejects.jsonl", expected)
    (out / "kgbuild.toml").write_text(CONFIG, "utf-8")


def _entries(rng: random.Random, count: int, *, start: int, new: bool) -> Iterator[Entry]:
    for number in range(start, start + count):
        product = _product(rng, new)
        note = Phrase("")
        if rng.random() < 0.2:
            noun = _pick(rng, SENTENCE.get(product.look.kind, (product.look.kind,)))
            this = "these" if product.look.kind in PLURAL else "this"
            note = Phrase(f"Pick {this} {noun} when you want to stand out.", (Concept(noun, product.look.kind),))
        yield Entry(
            str(number), product, title(product, rng), description(product, rng), note, tuple(boilerplate(product, rng)),
            dress_up=_pick(rng, ("", "", "", "", "html", "mojibake", "entities", "spaces")), picture_seed=f"{SEED} {number}",
            second_picture=rng.random() < 0.06, split="val" if rng.random() < 0.15 else "train",
        )  # fmt: skip


def _product(rng: random.Random, new: bool) -> Product:
    kind = _weighted(rng, KINDS, KIND_WEIGHTS)
    colour = _weighted(rng, COLOURS, COLOUR_WEIGHTS)
    pattern = _weighted(rng, PATTERNS, PATTERN_WEIGHTS) if kind in PATTERNED else "plain"
    if new:  # what the catalogue has never had: two types, a pattern, a colour
        turn = rng.random()
        kind = _pick(rng, ("tie", "poncho")) if turn < 0.4 else kind
        pattern = "zigzag" if 0.3 < turn < 0.6 and kind in PATTERNED else pattern
        colour = "turquoise" if 0.5 < turn < 0.8 else colour
    second = "" if pattern == "plain" else _second_colour(rng, colour)
    look = Look(kind, colour, pattern, second, _pick(rng, SLEEVES.get(kind, ("",))), _pick(rng, NECKS.get(kind, ("",))))
    gender = _pick(
        rng,
        GENDERS.get(
            kind,
            ("Men", "Women", "Unisex", "Kids")
            if kind in ("cap", "scarf", "backpack")
            else ("Men", "Women", "Boys", "Girls"),
        ),
    )
    material = _pick(rng, MATERIALS.get(kind, ("cotton", "linen")))
    assert kind in DETAILS
    return Product(look, _pick(rng, BRANDS), gender, material)


def _second_colour(rng: random.Random, colour: str) -> str:
    if colour in LIGHT:
        return _pick(rng, tuple(c for c in ("navy blue", "red", "green", "black") if c != colour))
    return "white"


def _with_twins(entries: Iterable[Entry], rng: random.Random) -> Iterator[Entry]:
    """Every 16th product shows the one four before it once more: byte-identical, and in turn nearly so."""
    made: list[Entry] = []
    for index, entry in enumerate(entries):
        if index % 16 == 15:
            first = made[index - 4]
            product = replace(first.product, brand=_pick(rng, tuple(b for b in BRANDS if b != first.product.brand)))
            near = index % 32 == 31
            made.append(
                replace(
                    entry,
                    product=product,
                    title=title(product, rng),
                    description=description(product, rng),
                    style_note=Phrase(""),
                    sections=(),
                    picture_seed=first.picture_seed,
                    quality=74 if near else 82,
                    shift=1 if near else 0,
                    second_picture=False,
                    twin_of=first.id,
                )
            )
        else:
            made.append(entry)
        yield made[-1]


def _write_pictures(entry: Entry, out: Path) -> None:
    data = picture(entry.product.look, entry.picture_seed, quality=entry.quality, shift=entry.shift)
    (out / "images" / f"{entry.id}.jpg").write_bytes(data)
    if entry.second_picture:
        (out / "images" / f"{entry.id}_2.jpg").write_bytes(picture(entry.product.look, entry.picture_seed + " again"))


def _row(entry: Entry) -> dict[str, object]:
    look = entry.product.look
    attributes = {
        "colour": look.colour,
        "pattern": look.pattern,
        "sleeve_length": look.sleeve,
        "neck": look.neck,
        "fabric": entry.product.material,
    }
    return {
        "id": entry.id,
        "title": entry.title.text.replace("&", "&amp;") if entry.dress_up in ("html", "entities") else entry.title.text,
        "brand": entry.product.brand,
        "gender": entry.product.gender,
        "category": CATEGORY[look.kind],
        "attributes": {key: value for key, value in attributes.items() if value},
        "description": _dressed(entry),
        "style_note": entry.style_note.text or None,
        "price": 399 + int(entry.id) * 37 % 5000,
        "images": [f"images/{entry.id}.jpg"] + ([f"images/{entry.id}_2.jpg"] if entry.second_picture else []),
        "split": entry.split,
    }


def _dressed(entry: Entry) -> str:
    """The description as a shop's export has it: in HTML, mis-encoded, or with stray spaces."""
    text = "\n".join([entry.description.text, *entry.sections])
    if entry.dress_up == "html":
        paragraphs = entry.description.text.replace("&", "&amp;").split("\n")
        lists = [
            "<ul>" + "".join(f"<li>{line}</li>" for line in section.split("\n")) + "</ul>" for section in entry.sections
        ]
        return "".join(f"<p>{p}</p>" for p in paragraphs) + "".join(lists)
    if entry.dress_up == "mojibake":
        return (text + "\nQuality you can feel \u2013 every day.").encode().decode("cp1252", "replace")
    if entry.dress_up == "entities":
        return text.replace("&", "&amp;").replace("'", "&#39;") + " &nbsp;"
    if entry.dress_up == "spaces":
        return "  " + text.replace(". ", ".  \u200b").replace("\n", "\r\n")
    return text


def _with_bad_rows(rows: list[dict[str, object]], out: Path) -> tuple[list[bytes], list[dict[str, str]]]:
    """The rows as lines, among them those that a careless export has, and what must be reported of them."""
    (out / "images" / "10901.jpg").write_bytes(picture(RED_SHIRT.look, "10901"))
    (out / "images" / "broken.jpg").write_bytes((out / "images" / "10001.jpg").read_bytes()[:400])
    (out / "images" / "not_a_picture.jpg").write_text("<html>404 not found</html>", "utf-8")
    rows[20]["images"] = ["images/broken.jpg"]
    rows[40]["images"] = ["images/nowhere.jpg"]
    for unused in (rows[20]["id"], rows[40]["id"]):
        (out / "images" / f"{unused}.jpg").unlink(missing_ok=True)
    rows[60]["images"] = ["images/10061.jpg", "images/not_a_picture.jpg"]
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    latin = dict(
        rows[5],
        id="10901",
        title="Norvale Women Red Shirt",
        description="Red shirt for the café.",
        images=["images/10901.jpg"],
        style_note=None,
        brand="Norvale",
        gender="Women",
        category=CATEGORY["shirt"],
        attributes={"colour": "red"},
    )
    lines.insert(90, json.dumps(latin, ensure_ascii=False).encode("latin-1"))
    lines.insert(120, json.dumps(dict(rows[7], title="Another product under a used id")).encode())
    lines.insert(150, json.dumps({"id": "10902", "title": None, "description": "  ", "images": []}).encode())
    lines.insert(180, b'{"id": "10903", "title": "Cut off in the mid')
    lines.insert(210, json.dumps(dict(rows[9], id="10904", title=None, images=["images/10010.jpg"])).encode())
    lines.insert(240, json.dumps({"id": None, "title": "Brindley Row Men Blue Cap"}).encode())
    expected = [
        ("10021", "image_broken"), ("10041", "image_absent"), ("10061", "image_broken"), ("10901", "text_not_utf8"),
        (str(rows[7]["id"]), "duplicate_id"), ("10902", "nothing_usable"), ("catalogue.jsonl:181", "row_broken"), ("10904", "no_title"),
        ("catalogue.jsonl:241", "no_id"),
    ]  # fmt: skip
    return lines, [{"key": key, "reason": reason} for key, reason in sorted(expected)]


def _truth_of_bad_rows(entries: list[Entry]) -> Iterator[Entry]:
    """Two rows that `_with_bad_rows` adds are mended by an ingest and stay: their concepts count."""
    shirt = (Concept("Women Red Shirt", "shirt", ("women", "red")),)
    text = Phrase("Red shirt for the café.", (Concept("Red shirt", "shirt", ("red",)),))
    yield replace(
        entries[5],
        id="10901",
        product=RED_SHIRT,
        twin_of="",
        title=Phrase("Norvale Women Red Shirt", shirt),
        description=text,
        style_note=Phrase(""),
    )
    yield replace(entries[9], id="10904", title=Phrase(""))


def _truth(entry: Entry, *, arrival: bool) -> dict[str, object]:
    look = entry.product.look
    return {
        "id": entry.id, "arrival": arrival, "type": look.kind, "colour": look.colour, "pattern": look.pattern,
        "pattern_colour": look.pattern_colour, "sleeve": look.sleeve, "neck": look.neck, "gender": entry.product.gender,
        "material": entry.product.material, "twin_of": entry.twin_of,
        "concepts": {
            name: [{"surface": c.surface, "head": c.head, "modifiers": list(c.modifiers)} for c in phrase.concepts]
            for name, phrase in (("title", entry.title), ("description", entry.description), ("style_note", entry.style_note))
        },
    }  # fmt: skip


def _write_json_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def _weighted(rng: random.Random, values: tuple[str, ...], weights: tuple[int, ...]) -> str:
    point = rng.random() * sum(weights)
    for value, weight in zip(values, weights, strict=True):
        point -= weight
        if point < 0:
            return value
    return values[-1]


def _pick(rng: random.Random, values: tuple[str, ...]) -> str:
    return values[int(rng.random() * len(values))]


if __name__ == "__main__":
    main()
