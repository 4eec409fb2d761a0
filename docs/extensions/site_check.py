"""The built site, checked: every link inside it leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "srcset"}


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down a tag."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if (name := _LOADED.get(tag)) in given:
            self.loaded.add(given[name])


def problems(site: Path) -> list[str]:
    """Return what is wrong with the pages and style sheets in a folder, one sentence each.

    A link in it must lead to a file in the folder and, in a page, to an anchor that is there. What a page or a style
    sheet loads must be in the folder too.
    """
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        found += [f"{name} loads {each} from elsewhere" for each in sorted(page.loaded) if is_elsewhere(each)]
        for link in sorted(page.links | page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{name} links to {link}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name} links to {link}, and there is no such anchor")
    for path in sorted(site.rglob("*.css")):
        loaded = re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""", path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)} loads {each} from elsewhere" for each in loaded if is_elsewhere(each)]
    return found


def is_elsewhere(link: str) -> bool:
    """Whether something is loaded from outside the site, which what is written into the page itself (data:) is not."""
    parts = urlsplit(link)
    return bool(parts.netloc or parts.scheme) and parts.scheme != "data"


def check(app: Sphinx, exception: Exception | None) -> None:
    """Warn of each problem: with -W, the build has failed then."""
    from sphinx.util import logging  # here, so that the tests of this file need no Sphinx

    if exception is None and app.builder.format == "html":
        for problem in problems(Path(app.outdir).resolve()):
            logging.getLogger(__name__).warning(problem)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the check."""
    app.connect("build-finished", check, priority=900)  # when everything is written
    return {"parallel_read_safe": True, "parallel_write_safe": True}
