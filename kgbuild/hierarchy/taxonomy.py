"""A taxonomy file of someone else as a seed: Shopify's and Google's formats, told apart by their content.

Shopify: `gid://shopify/TaxonomyCategory/aa-8 : Apparel & Accessories > Shoes`; Google: `187 - Apparel & Accessories > Shoes`, or without
numbers. Lines that start with # and empty lines are passed over. Only what the catalogue knows too is taken from it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from kgbuild.errors import ConfigError
from kgbuild.hierarchy.names import TAXONOMY, Claim, Name, NameOf

_SHOPIFY: Final = re.compile(r"^gid://\S+\s*:\s+(?P<path>\S.*)$")
_GOOGLE: Final = re.compile(r"^(?:\d+\s+-\s+)?(?P<path>[^:>\s][^>]*(?:\s>\s[^>]+)*)$")


def read_taxonomy(path: Path) -> list[tuple[str, ...]]:
    """The paths of a taxonomy file, from broad to narrow, in the order of its lines.

    Raises:
        ConfigError: the file is not there, is no text, holds no path, or has a line in neither format.
    """
    remedy = "set hierarchy.seed_taxonomy to a file in Shopify's or Google's format, or to nothing"
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise ConfigError(f"the seed taxonomy {path} cannot be read: {error.strerror}", remedy) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the seed taxonomy {path} is no UTF-8 text: {error.reason}", remedy) from error
    filled = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    pattern = _SHOPIFY if any(_SHOPIFY.match(line) for _, line in filled) else _GOOGLE
    found = [(number, line, pattern.match(line)) for number, line in filled]
    for number, line, match in found:
        if match is None:
            raise ConfigError(f"line {number} of the seed taxonomy {path} is no path: {line[:80]!r}", remedy)
    paths = [tuple(part.strip() for part in match["path"].split(" > ")) for _, _, match in found if match]
    if not any(len(one) > 1 for one in paths):
        raise ConfigError(f"the seed taxonomy {path} has no line of the form «broad > narrow»", remedy)
    return paths


def taxonomy_claims(paths: Iterable[tuple[str, ...]], known: Collection[Name], name_of: NameOf) -> list[Claim]:
    """For each known concept that the taxonomy has, the known concept most often next above it.

    Support is the number of its lines that say so, confidence their share of the lines in which something known stands above it.
    What fewer than half of the lines say is left out; a tie goes to the alphabet.
    """
    votes: dict[Name, Counter[Name]] = defaultdict(Counter)
    for path in paths:
        names = [Name(*name_of(part)) for part in path]
        low = names[-1]
        above = [name for name in names[:-1] if name in known and name != low]
        if low in known and above:
            votes[low][above[-1]] += 1
    claims = []
    for low, counts in sorted(votes.items()):
        high, n = min(counts.items(), key=lambda item: (-item[1], item[0]))
        if 2 * n >= counts.total():
            claims.append(Claim(low, high, TAXONOMY, n, n / counts.total()))
    return claims
