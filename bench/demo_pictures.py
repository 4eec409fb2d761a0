"""Take pictures of the demo in a real browser: both views, light, dark and on a phone.

`python bench/demo_pictures.py FOLDER` needs Chromium and chromedriver, the demo's libraries, selenium and Pillow. The
one called demo.png, in few colours, is that of the README: docs/demo.png.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from browser import answer, draw, drawings, opened, resize, served, set_dark, text, until
from PIL import Image

_COLOURS = 256
_PHONE = 390, 844


def main() -> None:
    """Take all pictures and write them into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    strokes = drawings()
    with served() as (_, url), tempfile.TemporaryDirectory() as home, opened(url, Path(home), (1280, 800)) as driver:

        def keep(name: str) -> None:
            driver.save_screenshot(str(folder / f"{name}.png"))
            print(folder / f"{name}.png")

        keep("begin")
        until(lambda: "Epoch" in text(driver, "phase") or "Trained" in text(driver, "phase"))
        keep("training")
        until(lambda: "Trained" in text(driver, "phase"))
        for dark in (False, True):
            set_dark(driver, dark)
            draw(driver, strokes.SLANTED[3 if dark else 5])
            answer(driver)
            keep("draw-dark" if dark else "draw")
        set_dark(driver, False)
        _phone(driver, keep, "draw-phone")
        driver.execute_script("location.hash = 'compare'")
        driver.find_element("css selector", "#race button[type=submit]").click()
        until(lambda: driver.find_elements("css selector", "#race-chart circle"))
        keep("compare-begin")
        until(lambda: text(driver, "race-said").startswith("The race is over"), 600)
        keep("compare")
        set_dark(driver, True)
        keep("compare-dark")
        set_dark(driver, False)
        _phone(driver, keep, "compare-phone")
    with Image.open(folder / "draw.png") as picture:
        picture.convert("RGB").quantize(_COLOURS).save(folder / "demo.png", optimize=True)
    print(folder / "demo.png", (folder / "demo.png").stat().st_size, "bytes")


def _phone(driver: Any, keep: Any, name: str) -> None:
    """Take a picture of the whole page, as long as it is on a phone."""
    resize(driver, *_PHONE)
    resize(driver, _PHONE[0], driver.execute_script("return document.documentElement.scrollHeight"))
    driver.execute_script("dispatchEvent(new Event('resize'))")
    until(lambda: driver.execute_script("return document.querySelector('svg').clientWidth") <= _PHONE[0])
    keep(name)
    resize(driver, 1280, 800)


if __name__ == "__main__":
    main()
