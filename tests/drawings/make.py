"""Draws the thirty digits of this folder: three styles of each, along points set by hand.

They are a check of how a net that was trained on MNIST does on other people's handwriting, so they were frozen before
the first prediction and are never changed: this file says how they came about. `python make.py FOLDER` draws them anew.
"""

import math
import random
import sys
from pathlib import Path
from typing import Any, NamedTuple

Point = tuple[float, float]
Stroke = list[Point]


class Page(NamedTuple):
    """A sheet: `size` (width, height), the digit's `height` as a share of the page's, and the `centre` of its box in
    shares of the page; `pen` is the pen's width as a share of the digit's height; `slant` in degrees to the right."""

    size: tuple[int, int]
    mode: str
    ink: Any
    paper: Any
    pen: float
    height: float = 0.6
    centre: Point = (0.5, 0.5)
    slant: float = 0


# fmt: off
# Each stroke is a smooth curve through its points; a corner is where one stroke ends and the next begins.
# x to the right, y downwards, the digit's height is 1.
THICK: dict[int, list[Stroke]] = {
    0: [[(0.36, 0.01), (0.13, 0.13), (0.02, 0.46), (0.1, 0.83), (0.33, 1), (0.56, 0.87), (0.66, 0.5), (0.57, 0.14),
         (0.35, 0), (0.27, 0.04)]],
    1: [[(0.08, 0), (0.09, 0.35), (0.07, 0.7), (0.1, 1)]],
    2: [[(0.05, 0.24), (0.15, 0.06), (0.38, 0), (0.57, 0.12), (0.57, 0.34), (0.4, 0.6), (0.18, 0.83), (0.02, 0.98)],
        [(0.02, 0.98), (0.35, 0.95), (0.7, 0.97)]],
    3: [[(0.05, 0.13), (0.28, 0), (0.54, 0.1), (0.5, 0.33), (0.24, 0.46)],
        [(0.24, 0.46), (0.54, 0.52), (0.65, 0.73), (0.5, 0.94), (0.25, 1), (0.02, 0.88)]],
    4: [[(0.13, 0.02), (0.07, 0.33), (0.02, 0.58)], [(0.02, 0.58), (0.35, 0.56), (0.72, 0.55)],
        [(0.53, 0.05), (0.52, 0.5), (0.5, 1)]],
    5: [[(0.13, 0.02), (0.1, 0.22), (0.07, 0.43)],
        [(0.07, 0.43), (0.3, 0.35), (0.56, 0.46), (0.63, 0.7), (0.45, 0.95), (0.2, 1), (0, 0.9)],
        [(0.13, 0.02), (0.4, 0.03), (0.64, 0)]],
    6: [[(0.5, 0), (0.25, 0.2), (0.08, 0.5), (0.05, 0.8), (0.22, 1), (0.48, 0.95), (0.59, 0.74), (0.45, 0.56),
         (0.22, 0.6), (0.07, 0.76)]],
    7: [[(0, 0.05), (0.3, 0.03), (0.64, 0)], [(0.64, 0), (0.45, 0.34), (0.3, 0.7), (0.22, 1)],
        [(0.2, 0.53), (0.4, 0.5), (0.58, 0.5)]],
    8: [[(0.5, 0.13), (0.3, 0), (0.1, 0.12), (0.15, 0.33), (0.38, 0.52), (0.56, 0.76), (0.42, 0.97), (0.18, 0.98),
         (0.05, 0.78), (0.2, 0.55), (0.45, 0.36), (0.53, 0.19), (0.45, 0.07)]],
    9: [[(0.55, 0.2), (0.38, 0), (0.12, 0.1), (0.05, 0.32), (0.22, 0.48), (0.45, 0.4), (0.55, 0.2)],
        [(0.55, 0.18), (0.56, 0.45), (0.52, 0.75), (0.48, 1)]],
}
THIN: dict[int, list[Stroke]] = {
    0: [[(0.3, 0), (0.1, 0.16), (0.01, 0.5), (0.08, 0.86), (0.27, 1), (0.45, 0.88), (0.53, 0.55), (0.47, 0.2),
         (0.31, 0), (0.2, 0.06), (0.14, 0.12)]],
    1: [[(0, 0.2), (0.09, 0.11), (0.16, 0)], [(0.16, 0), (0.17, 0.5), (0.16, 1)]],
    2: [[(0, 0.2), (0.12, 0.04), (0.34, 0), (0.5, 0.15), (0.46, 0.42), (0.3, 0.7), (0.06, 0.95)],
        [(0.06, 0.95), (0.2, 0.9), (0.4, 0.98), (0.64, 0.93)]],
    3: [[(0.06, 0.06), (0.25, 0), (0.46, 0.08), (0.47, 0.27), (0.32, 0.42), (0.16, 0.46)],
        [(0.16, 0.46), (0.4, 0.48), (0.55, 0.66), (0.47, 0.9), (0.24, 1), (0, 0.94)]],
    4: [[(0.44, 0), (0.22, 0.32), (0, 0.66)], [(0, 0.66), (0.3, 0.67), (0.64, 0.65)],
        [(0.44, 0), (0.45, 0.5), (0.44, 1)]],
    5: [[(0.5, 0.02), (0.3, 0.01), (0.12, 0.03)], [(0.12, 0.03), (0.1, 0.2), (0.07, 0.4)],
        [(0.07, 0.4), (0.26, 0.36), (0.46, 0.45), (0.53, 0.66), (0.43, 0.9), (0.22, 1), (0, 0.94)]],
    6: [[(0.36, 0), (0.16, 0.26), (0.03, 0.58), (0.05, 0.86), (0.22, 1), (0.42, 0.93), (0.49, 0.75), (0.4, 0.58),
         (0.22, 0.57), (0.06, 0.72)]],
    7: [[(0.02, 0.1), (0.03, 0.02)], [(0.03, 0.02), (0.28, 0.03), (0.55, 0.01)],
        [(0.55, 0.01), (0.42, 0.3), (0.28, 0.65), (0.2, 1)]],
    8: [[(0.42, 0.1), (0.25, 0), (0.08, 0.12), (0.1, 0.3), (0.28, 0.46), (0.46, 0.68), (0.44, 0.9), (0.24, 1),
         (0.04, 0.9), (0.05, 0.68), (0.24, 0.48), (0.42, 0.28), (0.42, 0.1)]],
    9: [[(0.46, 0.14), (0.28, 0), (0.08, 0.1), (0.03, 0.3), (0.17, 0.45), (0.36, 0.38), (0.47, 0.16)],
        [(0.47, 0.14), (0.48, 0.45), (0.42, 0.78), (0.26, 0.97), (0.06, 0.96)]],
}
SLANTED: dict[int, list[Stroke]] = {
    0: [[(0.32, 0), (0.1, 0.14), (0.01, 0.5), (0.09, 0.85), (0.29, 1), (0.5, 0.84), (0.57, 0.48), (0.48, 0.13),
         (0.3, 0.01)]],
    1: [[(0.05, 0), (0.05, 0.5), (0.04, 1)]],
    2: [[(0.06, 0.22), (0.16, 0.05), (0.36, 0.01), (0.5, 0.16), (0.44, 0.42), (0.28, 0.68), (0.12, 0.92), (0.02, 0.95),
         (0.05, 0.83), (0.2, 0.84), (0.4, 0.97), (0.62, 0.92)]],
    3: [[(0.06, 0.12), (0.24, 0), (0.47, 0.07), (0.46, 0.28), (0.28, 0.44)],
        [(0.28, 0.44), (0.5, 0.52), (0.55, 0.75), (0.38, 0.97), (0.14, 0.99), (0, 0.86)]],
    4: [[(0.16, 0), (0.12, 0.28), (0.04, 0.52)], [(0.04, 0.52), (0.3, 0.53), (0.58, 0.48)],
        [(0.52, 0.04), (0.5, 0.5), (0.46, 1)]],
    5: [[(0.14, 0.03), (0.12, 0.2), (0.1, 0.4)],
        [(0.1, 0.4), (0.3, 0.36), (0.5, 0.5), (0.5, 0.76), (0.32, 0.97), (0.1, 0.98), (0, 0.88)],
        [(0.13, 0.03), (0.34, 0.04), (0.56, 0)]],
    6: [[(0.3, 0), (0.12, 0.28), (0.03, 0.62), (0.09, 0.92), (0.28, 1), (0.45, 0.86), (0.45, 0.66), (0.3, 0.56),
         (0.13, 0.66), (0.06, 0.8)]],
    7: [[(0, 0.06), (0.14, 0.02), (0.34, 0.06), (0.58, 0.02)], [(0.58, 0.02), (0.48, 0.3), (0.38, 0.62), (0.33, 1)]],
    8: [[(0.46, 0.16), (0.36, 0.01), (0.16, 0.04), (0.1, 0.22), (0.26, 0.42), (0.42, 0.62), (0.44, 0.86), (0.24, 1),
         (0.06, 0.9), (0.08, 0.68), (0.26, 0.46), (0.42, 0.3), (0.47, 0.14)]],
    9: [[(0.44, 0.1), (0.26, 0), (0.07, 0.14), (0.07, 0.38), (0.24, 0.46), (0.41, 0.32), (0.45, 0.1)],
        [(0.45, 0.08), (0.44, 0.5), (0.38, 1)]],
}
# fmt: on

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
PAGES: dict[str, dict[int, Page]] = {
    "thick": {
        0: Page((28, 28), "L", 0, 255, 0.14, 0.7),
        1: Page((200, 200), "L", 255, 0, 0.16),
        2: Page((640, 480), "RGB", (20, 30, 120), (250, 248, 240), 0.15, 0.55, (0.4, 0.55)),
        3: Page((320, 240), "RGB", WHITE, (40, 80, 50), 0.15, 0.7),
        4: Page((1200, 900), "RGB", BLACK, WHITE, 0.13, 0.5, (0.3, 0.4)),
        5: Page((300, 400), "RGBA", (0, 0, 0, 255), (0, 0, 0, 0), 0.14),
        6: Page((64, 64), "P", (180, 20, 20), WHITE, 0.15, 0.75),
        7: Page((500, 500), "1", 0, 1, 0.12, 0.6, (0.6, 0.45)),
        8: Page((256, 256), "LA", (10, 255), (255, 255), 0.12, 0.7),
        9: Page((900, 1200), "RGB", (255, 220, 0), (25, 25, 60), 0.14, 0.35, (0.65, 0.7)),
    },
    "thin": {
        0: Page((400, 300), "L", 30, 235, 0.05, 0.6, (0.55, 0.5)),
        1: Page((120, 160), "RGB", BLACK, WHITE, 0.06),
        2: Page((800, 600), "RGB", WHITE, BLACK, 0.045, 0.5, (0.35, 0.6)),
        3: Page((28, 28), "L", 255, 0, 0.07, 0.72),
        4: Page((1024, 768), "RGBA", (0, 60, 160, 255), (255, 255, 255, 255), 0.04, 0.6, (0.6, 0.5)),
        5: Page((240, 240), "P", BLACK, (230, 230, 210), 0.05, 0.7),
        6: Page((600, 800), "RGBA", (255, 255, 255, 255), (255, 255, 255, 0), 0.05, 0.45),
        7: Page((50, 70), "L", 40, 200, 0.06, 0.75),
        8: Page((1200, 900), "L", 0, 255, 0.035, 0.7),
        9: Page((350, 350), "RGB", (60, 60, 60), (245, 245, 245), 0.05, 0.5, (0.35, 0.4)),
    },
    "slanted": {
        0: Page((300, 300), "RGB", BLACK, WHITE, 0.09, 0.6, (0.5, 0.5), 18),
        1: Page((48, 64), "L", 0, 255, 0.1, 0.7, (0.5, 0.5), 24),
        2: Page((700, 500), "RGB", (240, 240, 240), (30, 30, 30), 0.08, 0.55, (0.6, 0.45), 15),
        3: Page((280, 280), "L", 255, 0, 0.1, 0.65, (0.45, 0.5), 16),
        4: Page((1000, 700), "RGB", (0, 100, 40), (255, 255, 255), 0.08, 0.6, (0.5, 0.5), 20),
        5: Page((160, 120), "RGBA", (90, 0, 90, 230), (0, 0, 0, 0), 0.09, 0.7, (0.55, 0.5), 14),
        6: Page((450, 600), "1", 1, 0, 0.08, 0.5, (0.4, 0.6), 17),
        7: Page((1200, 800), "RGB", BLACK, (210, 225, 240), 0.07, 0.45, (0.7, 0.35), 15),
        8: Page((96, 96), "LA", (255, 255), (0, 255), 0.1, 0.7, (0.5, 0.5), 18),
        9: Page((380, 520), "P", (30, 30, 200), WHITE, 0.08, 0.55, (0.5, 0.55), 16),
    },
}


def curve(stroke: Stroke, steps: int = 60) -> Stroke:
    """A Catmull-Rom curve through the stroke's points."""
    points = [stroke[0], *stroke, stroke[-1]]
    out = []
    for a, b, c, d in zip(points, points[1:], points[2:], points[3:], strict=False):
        for step in range(steps + 1):
            t = step / steps
            x, y = (
                p + ((r - o) * t + (2 * o - 5 * p + 4 * r - s) * t**2 + (3 * p - o - 3 * r + s) * t**3) / 2
                for o, p, r, s in zip(a, b, c, d, strict=True)
            )
            out.append((x, y))
    return out


def draw(strokes: list[Stroke], page: Page, hand: random.Random) -> Any:
    """Draw four times as large with a round pen, pressed a little more here than there, and reduce."""
    from PIL import Image, ImageChops, ImageDraw

    zoom = 4
    width, height = (zoom * side for side in page.size)
    coverage = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(coverage)
    unit = page.height * height
    lean = math.tan(math.radians(page.slant))
    middle = max(x for stroke in strokes for x, _ in stroke) / 2
    for stroke in strokes:
        phase = [hand.uniform(0, 2 * math.pi) for _ in range(3)]
        for n, (x, y) in enumerate(curve(stroke)):
            x += 0.006 * math.sin(n / 23 + phase[0])
            y += 0.006 * math.sin(n / 29 + phase[1])
            radius = unit * page.pen / 2 * (1 + 0.08 * math.sin(n / 31 + phase[2]))
            px = page.centre[0] * width + unit * (x - middle + lean * (0.5 - y))
            py = page.centre[1] * height + unit * (y - 0.5)
            pen.ellipse((px - radius, py - radius, px + radius, py + radius), fill=255)
    coverage = coverage.resize(page.size, Image.Resampling.BOX)
    if page.mode == "1":
        return ImageChops.invert(coverage).convert("1", dither=0) if page.paper else coverage.convert("1", dither=0)
    mode = "RGB" if page.mode == "P" else page.mode
    image = Image.composite(Image.new(mode, page.size, page.ink), Image.new(mode, page.size, page.paper), coverage)
    return image.quantize(16) if page.mode == "P" else image


def main() -> None:
    """Draw all thirty into the folder that is named."""
    folder = Path(sys.argv[1])
    for style, digits in (("thick", THICK), ("thin", THIN), ("slanted", SLANTED)):
        for digit, strokes in digits.items():
            image = draw(strokes, PAGES[style][digit], random.Random(f"{style} {digit}"))
            image.save(folder / f"{digit}-{style}.png", optimize=True)


if __name__ == "__main__":
    main()
