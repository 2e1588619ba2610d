"""The layout of exported batches, which any trainer may read.

    FOLDER/
      manifest.json               counts, sizes, the row files in order; written last
      rows/part-00000.parquet     one text-image pair a row, in the order of batch_id, position; whole batches a file
      pictures/part-00000.parquet sha256, image: the prototypes' pictures, each once
      prototypes.parquet          concept_id, prototype_rank, image_id, sha256, relevance
      concepts.parquet            concept_id, label, hypernym_ids (all above it, nearest first)

A row of `rows/` has C concept slots, finest first, and P prototype places a slot; what a row lacks is padding, and the masks say so:

    batch_id, position            int32
    product_id, text_id, image_id what met what
    text                          the text that the plan drew
    title, brand                  of the product; empty where it has none
    clauses                       sentences and lines of its other texts
    facts                         category names and attribute values
    sha256, image                 the picture: hash of the catalogue's bytes, and bytes (JPEG or as found)
    concept_ids, concept_labels   C strings; "" is padding
    concept_mask                  C booleans
    prototype_sha256              C lists of P hashes into `pictures/`; "" is padding
    prototype_similarity          C lists of P cosines of this row's picture and the prototype, by the model that chose them; 0 for padding
    prototype_mask                C lists of P booleans
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

FORMAT: Final = "kgbuild-batches/1"
MANIFEST: Final = "manifest.json"

_STRINGS: Final = pa.list_(pa.string())
ROW_SCHEMA: Final = pa.schema(
    [
        ("batch_id", pa.int32()),
        ("position", pa.int32()),
        ("product_id", pa.string()),
        ("text_id", pa.string()),
        ("image_id", pa.string()),
        ("text", pa.string()),
        ("title", pa.string()),
        ("brand", pa.string()),
        ("clauses", _STRINGS),
        ("facts", _STRINGS),
        ("sha256", pa.string()),
        ("image", pa.binary()),
        ("concept_ids", _STRINGS),
        ("concept_labels", _STRINGS),
        ("concept_mask", pa.list_(pa.bool_())),
        ("prototype_sha256", pa.list_(_STRINGS)),
        ("prototype_similarity", pa.list_(pa.list_(pa.float32()))),
        ("prototype_mask", pa.list_(pa.list_(pa.bool_()))),
    ]
)
CONCEPT_SCHEMA: Final = pa.schema([("concept_id", pa.string()), ("label", pa.string()), ("hypernym_ids", _STRINGS)])
PROTOTYPE_SCHEMA: Final = pa.schema(
    [
        ("concept_id", pa.string()),
        ("prototype_rank", pa.int32()),
        ("image_id", pa.string()),
        ("sha256", pa.string()),
        ("relevance", pa.float32()),
    ]
)
