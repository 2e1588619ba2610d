"""A release small enough to know by heart: coloured squares for pictures, and texts that would be markup if one let them."""

import hashlib
import io

import pyarrow as pa
from PIL import Image

from kgbuild.identity import concept_id, image_id, text_id
from kgbuild.tables import TABLES, in_order

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"> & <b>dress</b> \u2028"
SHADES = {"red": (200, 30, 30), "blue": (30, 30, 200), "white": (240, 240, 240)}


def png(colour, size=(60, 80), kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


def table(name, rows):
    return in_order(pa.Table.from_pylist(rows, schema=TABLES[name].schema), name)


class Catalogue:
    """`n` dresses in three colours, some of them long; every product has a picture, those of one colour the same."""

    def __init__(self, n=24, extra=()):
        self.bytes, self.asked = {}, []
        products, texts, images, mentions = [], [], [], []
        found = {}
        for i in range(n):
            pid, shade = f"p{i:05d}", list(SHADES)[i % 3]
            modifiers = sorted([shade, *(["long"] if i % 2 else [])])
            surface = " ".join([*reversed(modifiers), "dress"]).title()
            title = f"Brand {i} {surface}"
            story = f"{HOSTILE} This is a tale\nof a {surface} that goes on " + "and on " * 60
            products.append(
                {
                    "product_id": pid, "title": title, "brand": "Brand", "category_path": ["Apparel", "Dress"],
                    "attributes": [], "split": None,
                }
            )  # fmt: skip
            for name, text in (("title", title), ("description", story)):
                tid, start = text_id(pid, name, text), text.index(surface)
                texts.append({"text_id": tid, "product_id": pid, "field": name, "text": text})
                mentions.append(
                    {
                        "text_id": tid, "start": start, "end": start + len(surface), "surface_form": surface,
                        "concept_id": concept_id("dress", modifiers), "head_noun": "dress", "modifiers": modifiers, "domain": "product",
                    }
                )  # fmt: skip
            picture = png(SHADES[shade])
            sha = hashlib.sha256(picture).hexdigest()
            self.bytes[sha] = picture
            images.append(
                {
                    "image_id": image_id(pid, sha),
                    "product_id": pid,
                    "uri": pid,
                    "width": 60,
                    "height": 80,
                    "sha256": sha,
                }
            )
            for general in ([], [shade], modifiers, [m for m in modifiers if m == "long"]):
                found.setdefault(tuple(general), set()).add(pid)
        self.ids = {modifiers: concept_id("dress", modifiers) for modifiers in found}
        self.concepts = table(
            "concepts", [self.concept(modifiers, len(own)) for modifiers, own in found.items()] + list(extra)
        )
        edges = [(low, high) for low in found for high in found if len(high) == len(low) - 1 and set(high) < set(low)]
        self.is_a_edges = table("is_a_edges", [self.edge(low, high, len(found[low])) for low, high in edges])
        by_product = {image["product_id"]: image["image_id"] for image in images}
        self.prototypes = table(
            "prototypes",
            [
                {
                    "concept_id": self.ids[modifiers], "prototype_rank": rank, "image_id": by_product[pid],
                    "relevance": 0.9 - rank / 10, "redundancy": 0.0,
                }
                for modifiers, own in found.items() for rank, pid in enumerate(sorted(own)[:3])
            ],
        )  # fmt: skip
        self.products, self.texts = table("products", products), table("texts", texts)
        self.images, self.mentions = table("images", images), table("mentions", mentions)

    def concept(self, modifiers, n_products):
        label = " ".join([*sorted(modifiers, key=lambda m: m != "long"), "dress"])
        return {
            "concept_id": self.ids[modifiers], "label": label, "head_noun": "dress", "modifiers": sorted(modifiers),
            "n_mentions": 2 * n_products, "n_products": n_products,
        }  # fmt: skip

    def edge(self, low, high, support):
        return {
            "hyponym_id": self.ids[low], "hypernym_id": self.ids[high], "rule": "drop_modifier", "support": support, "confidence": 1.0,
        }  # fmt: skip

    def pictures(self, shas):
        self.asked.append(list(shas))
        return {sha: self.bytes[sha] for sha in shas if sha in self.bytes}

    def tables(self):
        names = ("concepts", "is_a_edges", "prototypes", "images", "products", "texts", "mentions")
        return {name: getattr(self, name) for name in names} | {"pictures": self.pictures}
