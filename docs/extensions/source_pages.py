"""A page of each file of the source that a page links to, and of each folder a list of what is in it."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.osutil import relative_uri

_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".cpp": "cpp", ".json": "json"}
_LARGEST = 200_000  # bytes that are worth highlighting


class LinksToSource(SphinxTransform):
    """Turns a link to a file or folder of the repository that is no page into one to the page of its source."""

    default_priority = 200

    def apply(self) -> None:
        """Replace the links."""
        for link in list(self.document.findall(lambda node: isinstance(node, nodes.Element))):
            if link.get("reftype") == "myst" and link.get("refdomain") is None:
                path = posixpath.normpath(posixpath.join(posixpath.dirname(self.env.docname), link["reftarget"]))
                if (Path(self.env.srcdir) / path).exists():
                    uri = relative_uri(f"{self.env.docname}.html", f"{source_page(path)}.html")
                    link.replace_self(nodes.reference("", "", *link.children, refuri=uri, internal=True))


def source_page(path: str) -> str:
    """Return the name of the page of a file or folder."""
    return f"source/{path}"


def linked_files(app: Sphinx) -> set[str]:
    """Return the files and folders that the pages link to, by `LinksToSource` or from the reference."""
    found = set()
    for name in app.env.found_docs:
        for link in app.env.get_doctree(name).findall(nodes.reference):
            if match := re.match(r"(?:\.\./)*source/(.+)\.html", link.get("refuri", "")):
                found.add(match[1])
    return found


def source_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield each page: its name, what its template needs, and the name of that."""
    root, waiting, done = Path(app.srcdir), linked_files(app), set()
    while waiting - done:
        name = min(waiting - done)
        done.add(name)
        path = root / name
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix in _LANGUAGES)
            waiting |= {f"{name}/{each.name}" for each in inside}
            body = listing(name, inside)
        else:
            body = highlighted(app, path)
        title = html.escape(name)
        yield (
            source_page(name),
            {"title": title, "body": f'<div class="source-page"><h1>{title}</h1>\n{body}</div>'},
            "page.html",
        )


def listing(name: str, files: list[Path]) -> str:
    """Return the list of what is in a folder, as HTML."""
    folder = html.escape(name.rpartition("/")[2])
    rows = (f'<li><a href="{folder}/{html.escape(each.name)}.html">{html.escape(each.name)}</a></li>' for each in files)
    return f"<ul>{''.join(rows)}</ul>"


def highlighted(app: Sphinx, path: Path) -> str:
    """Return a file as HTML, its lines with the anchors L-1, L-2 and so on."""
    text = path.read_text(encoding="utf-8")
    language = _LANGUAGES.get(path.suffix, "docker" if path.name == "Dockerfile" else "text")
    if len(text) > _LARGEST:
        language = "text"
    return app.builder.highlighter.highlight_block(
        text, language, linenos="inline", lineanchors="L", anchorlinenos=True, force=True
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform and the pages."""
    app.add_transform(LinksToSource)
    app.connect("html-collect-pages", source_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
