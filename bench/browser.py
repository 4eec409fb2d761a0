"""The demo in a real browser: Chromium, driven by Selenium. For its tests, and for pictures of it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync", "disable-dev-shm-usage",
)  # fmt: skip
_LARGE = 0.72  # of the sheet: the height of a digit
_POINTS = 3  # of a curve between two points of a stroke

Stroke = list[tuple[float, float]]


@cache
def chromium() -> str | None:
    """The path of the browser, None where it or its driver is missing; of several, the one that the driver is for."""
    driver, found = shutil.which("chromedriver"), list(filter(None, map(shutil.which, _BROWSERS)))
    if driver is None or not found:
        return None
    if len(found) == 1:
        return found[0]
    wanted = _version(driver)
    return next((path for path in found if _version(path) == wanted), found[0])


def _version(program: str) -> str:
    """The first number of a program's version, empty where it does not tell one."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    number = re.search(r"\d+(?=\.)", told)
    return number[0] if number else ""


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`fastmlp demo` on a free port, in a process of its own, and its address."""
    command = [sys.executable, "-m", "fastmlp", "demo", "--port", "0", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the demo did not start"
        yield process, found[0]
    finally:
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        process.communicate(timeout=30)


@contextmanager
def opened(url: str, folder: Path, size: tuple[int, int] = (1280, 800), dark: bool = False) -> Iterator[Any]:
    """A browser that shows `url` in a window of this size; `folder` is for what it keeps, and must be its alone."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium() or ""
    for flag in (*_FLAGS, f"user-data-dir={folder}", f"window-size={size[0]},{size[1]}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
    try:
        resize(driver, *size)
        set_dark(driver, dark)
        driver.get(url)
        yield driver
    finally:
        driver.quit()


def resize(driver: Any, width: int, height: int) -> None:
    """Give the page this size, as on a phone where it is narrow."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def set_dark(driver: Any, dark: bool) -> None:
    """Have the page shown as to somebody who prefers the dark, or the light."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def text(driver: Any, name: str) -> str:
    """The text of the element with this id, with common spaces, also where it is not visible."""
    content: str = driver.execute_script("return document.getElementById(arguments[0]).textContent", name)
    return content.replace("\u00a0", " ")


def until(is_so: Callable[[], Any], seconds: float = 120) -> Any:
    """Wait until something is so, and return it."""
    end = time.monotonic() + seconds
    while not (answer := is_so()):
        assert time.monotonic() < end, "it has not come to pass"
        time.sleep(0.05)
    return answer


def drawings() -> Any:
    """The module with the strokes of tests/drawings."""
    spec = importlib.util.spec_from_file_location("make_drawings", ROOT / "tests" / "drawings" / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_drawings"] = module  # where its dataclasses look for it
    spec.loader.exec_module(module)
    return module


def draw(driver: Any, strokes: Sequence[Stroke], kind: str = "mouse") -> None:
    """Clear the sheet and draw on it with a "mouse", a finger ("touch") or a "pen"."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    driver.execute_script("document.getElementById('clear').click()")
    left, top, side = driver.execute_script(
        "const sheet = document.getElementById('sheet'); sheet.scrollIntoView({ block: 'center' });"
        "const box = sheet.getBoundingClientRect(); return [box.left, box.top, box.width];"
    )
    middle = max(x for stroke in strokes for x, _ in stroke) / 2
    for stroke in strokes:
        actions = ActionBuilder(driver, mouse=PointerInput(kind, kind), duration=1)
        pointer = actions.pointer_action
        for n, (x, y) in enumerate(drawings().curve(stroke, _POINTS)):
            at = [int(start + side * (0.5 + _LARGE * z)) for start, z in ((left, x - middle), (top, y - 0.5))]
            pointer.move_to_location(*at)
            if n == 0:
                pointer.pointer_down()
        pointer.pointer_up()
        actions.perform()


def answer(driver: Any) -> str:
    """What the net says to the drawing, once it has said it and all is still."""
    script = "return document.getElementById('answer').dataset.settled"
    until(lambda: driver.execute_script(script) == "yes", 20)
    return text(driver, "answer")
