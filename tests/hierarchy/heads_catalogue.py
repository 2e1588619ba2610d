"""A little catalogue as tables mentions, texts and products: some shops' worth of kurtas, shoes and bags, made by rule."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

from kgbuild.identity import concept_id, text_id
from kgbuild.language.names import name_form
from kgbuild.tables import TABLES, in_order

Product = tuple[str, str, Sequence[str]]
"""Title, description and category path; mentions are written in [square brackets], the head last, before "with" and such."""

COLOURS = ["blue", "red", "white", "black"]
DOMAIN_OF = {"cotton": "material", "leather": "material", "logo": "detail"} | dict.fromkeys(
    ("sleeve", "collar", "strap", "brush"), "part"
)
"""What a mention's head is read as; the others are products."""


def shop() -> list[Product]:
    """Kurtas, t-shirts, sneakers that titles call shoes, other shoes, sandals, bags, lip gloss, night suits among other suits."""
    made: list[Product] = []
    for colour in COLOURS:
        for place, (kind, path) in enumerate(
            [
                ("kurta", ["Apparel", "Topwear", "Kurtas"]),
                ("t-shirt", ["Apparel", "Topwear", "Tshirts"]),
                ("sandal", ["Footwear", "Sandals", "Sandals"]),
                ("handbag", ["Accessories", "Bags", "Handbags"]),
                ("night suit", ["Apparel", "Nightwear", "Night suits"]),
                ("business suit", ["Apparel", "Formal", "Suits"]),
            ]
        ):
            text = f"[{colour} {kind}] made of [cotton], has [short sleeves] and a [round collar], with an [embroidered logo]"
            made += [(f"Brand [{colour} {kind}]", f"{text} number {place}{more}", path) for more in range(2)]
        path = ["Footwear", "Shoes", "Casual Shoes"]
        made += [
            (f"[{colour} casual shoes]", f"These [{colour} sneakers] have a [leather strap] {n}", path)
            for n in range(2)
        ]
        formal = ["Footwear", "Shoes", "Formal Shoes"]
        made += [(f"[{colour} formal shoes]", f"[{colour} formal shoes] of [leather] {n}", formal) for n in range(3)]
        made.append((f"[{colour} lip gloss]", "A [soft brush]", ["Personal Care", "Lips", "Lip Gloss"]))
        made.append(
            (f"[{colour} boots]", f"[{colour} boots] and other [shoes] of [leather]", ["Footwear", "Shoes", "Boots"])
        )
    return made


def tables(products: Sequence[Product]) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Tables mentions, texts and products."""
    mentions, texts, rows = [], [], []
    for number, (title, description, path) in enumerate(products):
        owner = f"p{number:03d}"
        plain = title.replace("[", "").replace("]", "")
        rows.append(
            {
                "product_id": owner,
                "title": plain,
                "brand": None,
                "category_path": list(path),
                "attributes": [],
                "split": None,
            }
        )
        for field, written in (("title", title), ("description", description)):
            text = written.replace("[", "").replace("]", "")
            one = text_id(owner, field, text)
            texts.append({"text_id": one, "product_id": owner, "field": field, "text": text})
            for place, found in enumerate(re.finditer(r"\[([^]]*)\]", written)):
                head, modifiers = name_form(found[1])
                start = found.start() - 2 * place
                mentions.append(
                    {"text_id": one, "start": start, "end": start + len(found[1]), "surface_form": found[1]}
                    | {"concept_id": concept_id(head, modifiers), "head_noun": head, "modifiers": list(modifiers)}
                    | {"domain": DOMAIN_OF.get(head, "product")}
                )
    built = (("mentions", mentions), ("texts", texts), ("products", rows))
    first, second, third = (in_order(pa.Table.from_pylist(some, TABLES[name].schema), name) for name, some in built)
    return first, second, third
