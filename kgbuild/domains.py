"""What kind of thing a head noun names. Each kind but the last is a root of the hierarchy; what is OTHER is no concept."""

from __future__ import annotations

from typing import Final

DOMAINS: Final = (
    "product",  # sold, worn or carried by itself
    "part",  # a piece with a place on or in a product
    "material",
    "pattern",  # printed, woven or drawn
    "detail",  # worked decoration, finish or make that is seen
    "ingredient",  # what is in a cosmetic or a scent
    "packaging",
    "colour",
    "function",  # what a watch, shoe or gadget does or has inside
    "other",  # nothing that a shopper sees or searches for
)
PRODUCT: Final = DOMAINS[0]
OTHER: Final = DOMAINS[-1]
