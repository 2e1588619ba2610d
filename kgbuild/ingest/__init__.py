"""Ingest: from a shop's export to the tables products, texts, images, pictures and rejects.

`ingest_catalogue` reads Parquet, CSV and JSON Lines through fsspec, repairs texts, sets boilerplate apart and checks every
picture; what cannot be used becomes a reject and the run goes on. `catalogue_fingerprint` says whether the catalogue has changed;
`propose_mapping` looks at the columns of an unknown one and proposes a configuration. `read_rows`, `repair_text` and
`split_sections` are the parts it is made of.
"""

from kgbuild.ingest.boilerplate import Sections, split_sections
from kgbuild.ingest.catalogue import Ingested, ingest_catalogue
from kgbuild.ingest.fingerprint import catalogue_fingerprint
from kgbuild.ingest.propose import propose_mapping
from kgbuild.ingest.read import RowBatch, read_rows
from kgbuild.ingest.repair import repair_line, repair_text

__all__ = [
    "Ingested",
    "RowBatch",
    "Sections",
    "catalogue_fingerprint",
    "ingest_catalogue",
    "propose_mapping",
    "read_rows",
    "repair_line",
    "repair_text",
    "split_sections",
]
