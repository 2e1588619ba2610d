"""What people look at: one HTML page of a release, and contact sheets of prototypes.

`write_page` writes a single file that works without a server: the hierarchy as a tree that opens, pictures, counts, broader and
narrower concepts, example texts, a search box. `contact_sheet` draws the prototypes of some concepts into one PNG.
"""

from kgbuild.serve.examples import Example, Examples, find_examples
from kgbuild.serve.page import PageLimits, PageReport, write_page
from kgbuild.serve.thumbnails import Pictures, contact_sheet, thumbnail_uri

__all__ = [
    "Example",
    "Examples",
    "PageLimits",
    "PageReport",
    "Pictures",
    "contact_sheet",
    "find_examples",
    "thumbnail_uri",
    "write_page",
]
