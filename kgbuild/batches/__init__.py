"""products, concepts, prototypes -> concept-image batches: the plan, and its export as files that any trainer may read.

`compose_batches` decides which text meets which picture in which batch and with which concepts; `export_batches` writes texts,
pictures, concept labels of several granularities, prototypes, similarities and masks as sharded Parquet (the layout is told in
`shard_format`); `read_batches` reads them again, batch by batch.
"""

from kgbuild.batches.compose import compose_batches
from kgbuild.batches.export import ExportManifest, export_batches
from kgbuild.batches.reader import read_batches, read_manifest

__all__ = ["ExportManifest", "compose_batches", "export_batches", "read_batches", "read_manifest"]
