"""Draws the garments of the sample catalogue: a shape for each type, a pattern, sleeves and a neck, on a light ground.

Shapes are polygons in a unit box (x to the right, y down); everything is drawn four times too large and then reduced, so that
edges are smooth. The same `Look` and seed give the same picture.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter

WIDTH, HEIGHT, SCALE = 96, 128, 4
Point = tuple[float, float]
Shape = list[Point]
Place = Callable[[Point], Point]

COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (34, 34, 38),
    "white": (246, 246, 244),
    "grey": (140, 143, 148),
    "red": (200, 32, 40),
    "maroon": (110, 22, 40),
    "navy blue": (28, 38, 92),
    "sky blue": (128, 190, 232),
    "blue": (38, 88, 190),
    "green": (34, 132, 62),
    "olive green": (104, 112, 50),
    "yellow": (242, 204, 44),
    "orange": (236, 124, 30),
    "pink": (240, 140, 176),
    "purple": (112, 52, 146),
    "brown": (116, 74, 44),
    "beige": (222, 202, 168),
    "turquoise": (48, 190, 186),
}


@dataclass(frozen=True)
class Look:
    """What one picture shows; a part that the type does not have is empty."""

    kind: str
    colour: str
    pattern: str = "plain"
    pattern_colour: str = ""
    sleeve: str = ""
    neck: str = ""


@dataclass(frozen=True)
class Drawing:
    """Parts filled with the cloth, parts of a plain second tone, holes that show the ground, and lines."""

    cloth: list[Shape]
    plain: list[Shape]
    holes: list[Shape]
    lines: list[Shape]
    dots: list[Point]


def _mirror(shape: Shape) -> Shape:
    return [(1.0 - x, y) for x, y in shape]


def _both(shape: Shape) -> list[Shape]:
    return [shape, _mirror(shape)]


def _ellipse(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360, steps: int = 40) -> Shape:
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


_SLEEVES: dict[str, list[Shape]] = {
    "sleeveless": [],
    "short": _both([(0.30, 0.17), (0.10, 0.33), (0.19, 0.44), (0.32, 0.34)]),
    "long": _both([(0.30, 0.17), (0.20, 0.25), (0.05, 0.72), (0.16, 0.76), (0.32, 0.38)]),
}


def _neck(neck: str) -> Drawing:
    if neck == "v-neck":
        return Drawing(
            [], [], [[(0.40, 0.10), (0.60, 0.10), (0.5, 0.34)]], [[(0.40, 0.15), (0.5, 0.34), (0.60, 0.15)]], []
        )
    if neck == "polo":
        flaps = _both([(0.385, 0.13), (0.46, 0.13), (0.5, 0.19), (0.42, 0.25)])
        return Drawing(
            [], flaps, [_ellipse(0.5, 0.12, 0.075, 0.05)], [[(0.5, 0.19), (0.5, 0.36)]], [(0.5, 0.26), (0.5, 0.33)]
        )
    if neck == "high":
        return Drawing(
            [[(0.40, 0.04), (0.60, 0.04), (0.62, 0.17), (0.38, 0.17)]], [], [], [[(0.39, 0.155), (0.61, 0.155)]], []
        )
    rim = _ellipse(0.5, 0.13, 0.125, 0.105, 0, 180)
    return Drawing([], [], [_ellipse(0.5, 0.12, 0.11, 0.085)], [rim], [])


def _top(look: Look, body: Shape, lines: list[Shape], dots: list[Point]) -> Drawing:
    neck = _neck(look.neck)
    holes = list(neck.holes)
    if look.sleeve == "sleeveless":
        holes += _both(_ellipse(0.245, 0.25, 0.075, 0.13))
    return Drawing([*_SLEEVES[look.sleeve], body, *neck.cloth], neck.plain, holes, neck.lines + lines, neck.dots + dots)


def _body(hem: float, hem_width: float, waist: float = 0.2) -> Shape:
    half = [(0.42, 0.13), (0.29, 0.17), (0.29, 0.36), (0.5 - waist, 0.5), (0.5 - hem_width, hem)]
    return [*half, *reversed(_mirror(half))]


def draw_t_shirt(look: Look) -> Drawing:
    """A t-shirt; with long sleeves it is a long sleeve t-shirt."""
    return _top(look, _body(0.84, 0.215, 0.205), [[(0.29, 0.815), (0.71, 0.815)]], [])


def draw_shirt(look: Look) -> Drawing:
    """A shirt: a collar, a button line, a chest pocket."""
    body = _body(0.86, 0.22, 0.205)
    flaps = _both([(0.37, 0.12), (0.46, 0.09), (0.5, 0.16), (0.43, 0.24)])
    pocket = [(0.58, 0.36), (0.69, 0.36), (0.69, 0.46), (0.635, 0.48), (0.58, 0.46), (0.58, 0.36)]
    buttons = [(0.5, y) for y in (0.22, 0.34, 0.46, 0.58, 0.70, 0.80)]
    return Drawing(
        [*_SLEEVES[look.sleeve], body],
        flaps,
        [_ellipse(0.5, 0.11, 0.06, 0.035)],
        [[(0.485, 0.16), (0.485, 0.86)], pocket],
        buttons,
    )


def draw_sweater(look: Look) -> Drawing:
    """A sweater: long sleeves, a ribbed hem and ribbed cuffs."""
    ribs = [[(x / 100, 0.77), (x / 100, 0.84)] for x in range(30, 72, 3)]
    cuffs = _both([(0.065, 0.675), (0.182, 0.715)])
    return _top(look, _body(0.84, 0.21, 0.225), [[(0.285, 0.77), (0.715, 0.77)], *ribs, *cuffs], [])


def draw_jacket(_look: Look) -> Drawing:
    """A jacket: a zip down the front, lapels, two side pockets."""
    lapels = _both([(0.39, 0.11), (0.46, 0.10), (0.495, 0.30), (0.37, 0.24)])
    pockets = _both([(0.33, 0.62), (0.43, 0.66)])
    zip_teeth = [[(0.485, y / 100), (0.515, y / 100)] for y in range(30, 86, 3)]
    return Drawing(
        [*_SLEEVES["long"], _body(0.86, 0.235, 0.225)],
        lapels,
        [],
        [[(0.5, 0.28), (0.5, 0.86)], *pockets, *zip_teeth],
        [],
    )


def draw_dress(look: Look) -> Drawing:
    """A dress: a narrow waist and a flared skirt."""
    half = [(0.43, 0.10), (0.33, 0.13), (0.33, 0.28), (0.37, 0.42), (0.19, 0.93)]
    sleeves = {
        "sleeveless": [],
        "short": _both([(0.34, 0.13), (0.19, 0.25), (0.26, 0.33), (0.35, 0.27)]),
        "long": _both([(0.34, 0.13), (0.25, 0.19), (0.12, 0.54), (0.20, 0.57), (0.36, 0.30)]),
    }
    holes: list[Shape] = [_ellipse(0.5, 0.085, 0.085, 0.075)]
    if look.neck == "v-neck":
        holes = [[(0.43, 0.07), (0.57, 0.07), (0.5, 0.27)]]
    if look.sleeve == "sleeveless":
        holes += _both(_ellipse(0.305, 0.2, 0.055, 0.085))
    folds = [[(0.5 + dx * 0.12, 0.5), (0.5 + dx * 0.26, 0.92)] for dx in (-0.7, 0.0, 0.7)]
    return Drawing(
        [*sleeves[look.sleeve], [*half, *reversed(_mirror(half))]],
        [],
        holes,
        [[(0.37, 0.42), (0.63, 0.42)], *folds],
        [],
    )


def draw_skirt(_look: Look) -> Drawing:
    """A flared skirt with a waistband."""
    body = [(0.34, 0.24), (0.66, 0.24), (0.86, 0.80), *_ellipse(0.5, 0.80, 0.36, 0.05, 0, 180), (0.14, 0.80)]
    folds = [[(0.5 + dx * 0.12, 0.36), (0.5 + dx * 0.30, 0.82)] for dx in (-0.8, -0.3, 0.3, 0.8)]
    band = [(0.34, 0.19), (0.66, 0.19), (0.665, 0.255), (0.335, 0.255)]
    return Drawing([body], [band], [], folds, [])


def _legs(end: float, width: float) -> Drawing:
    half = [(0.32, 0.10), (0.27, 0.34), (0.26, end), (0.26 + width, end), (0.5, 0.42)]
    band = [(0.32, 0.07), (0.68, 0.07), (0.685, 0.12), (0.315, 0.12)]
    pockets = _both([(0.32, 0.14), (0.285, 0.23)])
    return Drawing(
        [[*half, *reversed(_mirror(half[:-1]))]], [band], [], [[(0.5, 0.12), (0.5, 0.42)], *pockets], [(0.5, 0.095)]
    )


def draw_trousers(_look: Look) -> Drawing:
    """Trousers, down to the ankle."""
    return _legs(0.95, 0.15)


def draw_shorts(_look: Look) -> Drawing:
    """Shorts, wide and above the knee."""
    half = [(0.29, 0.24), (0.17, 0.70), (0.46, 0.74), (0.5, 0.52)]
    band = [(0.29, 0.20), (0.71, 0.20), (0.72, 0.27), (0.28, 0.27)]
    pockets = _both([(0.29, 0.30), (0.25, 0.42)])
    return Drawing(
        [[*half, *reversed(_mirror(half[:-1]))]], [band], [], [[(0.5, 0.27), (0.5, 0.52)], *pockets], [(0.5, 0.235)]
    )


def draw_handbag(_look: Look) -> Drawing:
    """A handbag: a trapezium with an arched handle and a clasp."""
    body = [(0.20, 0.42), (0.80, 0.42), (0.88, 0.82), (0.12, 0.82)]
    handle = [*_ellipse(0.5, 0.42, 0.23, 0.25, 180, 360), *reversed(_ellipse(0.5, 0.42, 0.18, 0.20, 180, 360))]
    return Drawing(
        [body],
        [handle, [(0.45, 0.42), (0.55, 0.42), (0.55, 0.52), (0.45, 0.52)]],
        [],
        [[(0.20, 0.46), (0.80, 0.46)]],
        [(0.5, 0.49)],
    )


def draw_backpack(_look: Look) -> Drawing:
    """A backpack: a rounded body, a front pocket with a zip, a loop on top."""
    body = [(0.24, 0.86), *_ellipse(0.5, 0.34, 0.26, 0.20, 180, 360), (0.76, 0.86)]
    pocket = [(0.30, 0.58), (0.70, 0.58), (0.70, 0.80), (0.30, 0.80), (0.30, 0.58)]
    loop = [*_ellipse(0.5, 0.15, 0.08, 0.08, 180, 360), *reversed(_ellipse(0.5, 0.15, 0.05, 0.05, 180, 360))]
    straps = _both([(0.24, 0.36), (0.15, 0.42), (0.15, 0.80), (0.19, 0.80), (0.20, 0.45), (0.24, 0.42)])
    return Drawing(
        [body],
        [loop, *straps],
        [],
        [pocket, [(0.32, 0.62), (0.68, 0.62)], _ellipse(0.5, 0.36, 0.2, 0.14, 180, 360)],
        [],
    )


def draw_sneaker(_look: Look) -> Drawing:
    """A low shoe from the side, with laces and a white sole."""
    upper = [
        (0.08, 0.68),
        (0.08, 0.42),
        (0.14, 0.38),
        (0.34, 0.40),
        (0.56, 0.55),
        (0.82, 0.58),
        (0.94, 0.66),
        (0.94, 0.70),
        (0.08, 0.70),
    ]
    sole = [(0.06, 0.69), (0.95, 0.69), (0.95, 0.76), (0.90, 0.78), (0.08, 0.78), (0.06, 0.75)]
    laces = [[(0.34 + d, 0.42 + d * 0.68), (0.44 + d, 0.38 + d * 0.72)] for d in (0.0, 0.06, 0.12, 0.18)]
    return Drawing([upper], [sole], [], [*laces, [(0.08, 0.52), (0.20, 0.50), (0.24, 0.69)]], [])


def draw_boot(_look: Look) -> Drawing:
    """An ankle-high boot from the side, with a heel."""
    upper = [(0.16, 0.16), (0.52, 0.16), (0.52, 0.56), (0.74, 0.63), (0.88, 0.72), (0.88, 0.80), (0.16, 0.80)]
    sole = [(0.15, 0.79), (0.89, 0.79), (0.89, 0.84), (0.40, 0.84), (0.38, 0.90), (0.15, 0.90)]
    return Drawing(
        [upper],
        [sole],
        [],
        [[(0.16, 0.22), (0.52, 0.22)], [(0.40, 0.22), (0.40, 0.50)], [(0.16, 0.66), (0.34, 0.60)]],
        [],
    )


def draw_cap(_look: Look) -> Drawing:
    """A cap from the side: a dome with a button and a curved brim."""
    dome = [(0.16, 0.62), *_ellipse(0.45, 0.62, 0.29, 0.28, 180, 360)]
    brim = [(0.66, 0.57), (0.82, 0.58), (0.95, 0.66), (0.90, 0.68), (0.72, 0.645), (0.16, 0.65), (0.16, 0.60)]
    seams = [_ellipse(0.45, 0.62, 0.12, 0.28, 180, 360), [(0.45, 0.34), (0.45, 0.62)]]
    return Drawing([dome], [brim, _ellipse(0.45, 0.34, 0.03, 0.02)], [], seams, [])


def draw_scarf(_look: Look) -> Drawing:
    """A scarf: a loop with two hanging ends that have fringes."""
    ring = [*_ellipse(0.5, 0.24, 0.26, 0.14), *reversed(_ellipse(0.5, 0.21, 0.15, 0.06))]
    ends = [
        [(0.34, 0.30), (0.52, 0.34), (0.47, 0.84), (0.28, 0.82)],
        [(0.50, 0.33), (0.66, 0.30), (0.74, 0.72), (0.56, 0.75)],
    ]
    fringes = [[(0.29 + i * 0.03, 0.825), (0.28 + i * 0.03, 0.90)] for i in range(7)]
    fringes += [[(0.57 + i * 0.03, 0.745 - i * 0.003), (0.58 + i * 0.03, 0.82)] for i in range(6)]
    return Drawing([ring, *ends], [], [], fringes, [])


def draw_tie(_look: Look) -> Drawing:
    """A tie: a knot and a long blade."""
    blade = [(0.46, 0.22), (0.54, 0.22), (0.64, 0.80), (0.5, 0.93), (0.36, 0.80)]
    return Drawing(
        [blade, [(0.41, 0.08), (0.59, 0.08), (0.55, 0.22), (0.45, 0.22)]], [], [], [[(0.45, 0.22), (0.55, 0.22)]], []
    )


def draw_poncho(_look: Look) -> Drawing:
    """A poncho: a wide triangle of cloth with a fringe."""
    fringes = [
        [(x, 0.50 + 0.36 * (1 - abs(x - 0.5) / 0.46)), (x, 0.56 + 0.36 * (1 - abs(x - 0.5) / 0.46))]
        for x in (0.06 + i * 0.04 for i in range(23))
    ]
    body = [(0.40, 0.12), (0.60, 0.12), (0.96, 0.50), (0.5, 0.86), (0.04, 0.50)]
    return Drawing([body], [], [_ellipse(0.5, 0.12, 0.10, 0.06)], fringes, [])


SHAPES = {
    "t-shirt": draw_t_shirt, "shirt": draw_shirt, "sweater": draw_sweater, "jacket": draw_jacket, "dress": draw_dress,
    "skirt": draw_skirt, "trousers": draw_trousers, "shorts": draw_shorts, "handbag": draw_handbag, "backpack": draw_backpack,
    "sneaker": draw_sneaker, "boot": draw_boot, "cap": draw_cap, "scarf": draw_scarf, "tie": draw_tie, "poncho": draw_poncho,
}  # fmt: skip


def picture(look: Look, seed: str, *, quality: int = 82, shift: int = 0) -> bytes:
    """The JPEG of a look, 96 x 128; the seed moves, tilts and lights it, `shift` moves it by whole pixels."""
    rng = random.Random(seed)
    size = (WIDTH * SCALE, HEIGHT * SCALE)
    place = _placement(rng)
    drawing = SHAPES[look.kind](look)
    base = _shade(COLOURS[look.colour], 0.94 + 0.1 * rng.random())
    mask = _mask(drawing, place, size)
    cloth = _cloth(look, base, size, rng)
    tone = _shade(base, 0.8 if sum(base) > 180 else 1.9)
    ground = _ground(rng, size)
    shadow = ImageChops.offset(mask, 7, 10).filter(ImageFilter.GaussianBlur(9)).point([v // 3 for v in range(256)])
    ground.paste((70, 70, 76), (0, 0), shadow)
    ground.paste(cloth, (0, 0), mask)
    pen = ImageDraw.Draw(ground)
    line = _shade(base, 0.62 if sum(base) > 180 else 2.1)
    for shape in drawing.plain:
        part = Image.new("L", size, 0)
        ImageDraw.Draw(part).polygon([place(p) for p in shape], fill=255)
        solid = (236, 236, 232) if look.kind == "sneaker" else tone
        ground.paste(solid, (0, 0), part)
        pen.line([place(p) for p in [*shape, shape[0]]], fill=line, width=4)
    _outline(ground, mask, line)
    clear = _holes(drawing, place, size)
    for shape in drawing.lines:
        _line_outside(ground, [place(p) for p in shape], line, clear)
    for dot in drawing.dots:
        x, y = place(dot)
        pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill=(238, 232, 214), outline=line)
    small = ImageChops.offset(ground, shift * SCALE, 0).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=quality, optimize=False, progressive=False)
    return stream.getvalue()


def _placement(rng: random.Random) -> Place:
    zoom, angle = 0.9 + 0.08 * rng.random(), math.radians(rng.uniform(-4, 4))
    dx, dy = rng.uniform(-0.02, 0.02), rng.uniform(-0.02, 0.02)
    cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
    side = HEIGHT * SCALE * 0.74

    def place(point: Point) -> Point:
        x, y = (point[0] - 0.5) * side, (point[1] - 0.5) * side * 1.28
        return (WIDTH * SCALE * (0.5 + dx) + x * cos - y * sin, HEIGHT * SCALE * (0.5 + dy) + x * sin + y * cos)

    return place


def _shade(colour: tuple[int, int, int], factor: float) -> tuple[int, int, int]:
    red, green, blue = (max(0, min(255, round(channel * factor))) for channel in colour)
    return red, green, blue


def _ground(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    light = rng.randint(218, 240)
    top = tuple(light + rng.randint(-9, 9) for _ in range(3))
    bottom = tuple(max(190, c - rng.randint(4, 26)) for c in top)
    ramp = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), ramp)


def _mask(drawing: Drawing, place: Place, size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size, 0)
    pen = ImageDraw.Draw(mask)
    for shape in drawing.cloth:
        pen.polygon([place(p) for p in shape], fill=255)
    mask.paste(0, (0, 0), _holes(drawing, place, size))
    return mask


def _holes(drawing: Drawing, place: Place, size: tuple[int, int]) -> Image.Image:
    holes = Image.new("L", size, 0)
    for shape in drawing.holes:
        ImageDraw.Draw(holes).polygon([place(p) for p in shape], fill=255)
    return holes


def _line_outside(image: Image.Image, points: list[Point], colour: tuple[int, int, int], clear: Image.Image) -> None:
    stroke = Image.new("L", image.size, 0)
    ImageDraw.Draw(stroke).line(points, fill=255, width=5, joint="curve")
    stroke.paste(0, (0, 0), clear)
    image.paste(colour, (0, 0), stroke)


def _outline(image: Image.Image, mask: Image.Image, colour: tuple[int, int, int]) -> None:
    edge = ImageChops.subtract(mask.filter(ImageFilter.MaxFilter(5)), mask.filter(ImageFilter.MinFilter(3)))
    image.paste(colour, (0, 0), edge)


def _cloth(look: Look, base: tuple[int, int, int], size: tuple[int, int], rng: random.Random) -> Image.Image:
    cloth = Image.new("RGB", size, base)
    pen = ImageDraw.Draw(cloth)
    second = COLOURS[look.pattern_colour] if look.pattern_colour else base
    width, height = size
    phase = rng.randint(0, 30)
    if look.pattern == "striped":
        for y in range(phase - 40, height, 44):
            pen.rectangle((0, y, width, y + 19), fill=second)
    elif look.pattern == "checked":
        _checks(cloth, base, second, phase)
    elif look.pattern == "dotted":
        for row, y in enumerate(range(phase - 40, height + 40, 38)):
            for x in range(-20 + (row % 2) * 22, width + 40, 44):
                pen.ellipse((x - 10, y - 10, x + 10, y + 10), fill=second)
    elif look.pattern == "floral":
        _flowers(pen, second, size, rng)
    elif look.pattern == "zigzag":
        for y in range(phase - 40, height + 40, 52):
            points = [(x, y + (26 if (x // 24) % 2 else 0)) for x in range(0, width + 24, 24)]
            pen.line(points, fill=second, width=14, joint="curve")
    light = Image.linear_gradient("L").rotate(90).resize(size).point([238 + v // 15 for v in range(256)])
    return ImageChops.multiply(cloth, Image.merge("RGB", (light, light, light)))


def _checks(cloth: Image.Image, base: tuple[int, int, int], second: tuple[int, int, int], phase: int) -> None:
    pen = ImageDraw.Draw(cloth)
    width, height = cloth.size
    mixed = tuple((a + b) // 2 for a, b in zip(base, second, strict=True))
    columns, rows = range(phase - 60, width, 56), range(phase - 60, height, 56)
    for y in rows:
        pen.rectangle((0, y, width, y + 25), fill=mixed)
    for x in columns:
        pen.rectangle((x, 0, x + 25, height), fill=mixed)
        for y in rows:
            pen.rectangle((x, y, x + 25, y + 25), fill=second)


def _flowers(pen: ImageDraw.ImageDraw, colour: tuple[int, int, int], size: tuple[int, int], rng: random.Random) -> None:
    for row, y in enumerate(range(0, size[1] + 40, 52)):
        for x in range((row % 2) * 30, size[0] + 40, 60):
            cx, cy, turn = x + rng.randint(-6, 6), y + rng.randint(-6, 6), rng.random() * 72
            for petal in range(5):
                angle = math.radians(turn + 72 * petal)
                px, py = cx + 11 * math.cos(angle), cy + 11 * math.sin(angle)
                pen.ellipse((px - 8, py - 8, px + 8, py + 8), fill=colour)
            pen.ellipse((cx - 6, cy - 6, cx + 6, cy + 6), fill=(250, 214, 60))
            leaf = cx + 20, cy + 14
            pen.ellipse((leaf[0] - 8, leaf[1] - 4, leaf[0] + 8, leaf[1] + 4), fill=(60, 140, 70))
