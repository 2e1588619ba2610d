"""The contact sheet shows the right colours in the right rows."""

import io

from PIL import Image
from small_release import SHADES, Catalogue

from kgbuild.serve import contact_sheet


def test_rows_show_the_prototypes_in_their_order():
    catalogue = Catalogue()
    wanted = [catalogue.ids["red",], catalogue.ids["blue",], catalogue.ids[()]]
    sheet = contact_sheet(
        catalogue.concepts,
        catalogue.prototypes,
        catalogue.images,
        catalogue.pictures,
        concept_ids=wanted,
        cell=(60, 80),
    )
    image = Image.open(io.BytesIO(sheet)).convert("RGB")
    assert image.size == (220 + 3 * 68, 3 * 108)

    def colours(row):
        return [image.getpixel((220 + column * 68 + 30, row * 108 + 46)) for column in range(3)]

    assert colours(0) == [SHADES["red"]] * 3
    assert colours(1) == [SHADES["blue"]] * 3
    assert colours(2) == [SHADES["red"], SHADES["blue"], SHADES["white"]]


def test_a_picture_that_cannot_be_read_leaves_a_frame():
    catalogue = Catalogue()
    wanted = [catalogue.ids["white",]]
    sheet = contact_sheet(
        catalogue.concepts, catalogue.prototypes, catalogue.images, lambda _: {}, concept_ids=wanted, cell=(60, 80)
    )
    image = Image.open(io.BytesIO(sheet)).convert("RGB")
    assert image.getpixel((250, 46)) == (255, 255, 255)
    assert image.getpixel((220, 46)) == (187, 0, 0)
