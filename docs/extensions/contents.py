"""The table of contents: each heading of the front page with the pages that the list below it links to."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class Contents(SphinxTransform):
    """Gives the front page a hidden toctree for each of its sections."""

    default_priority = 800  # after the links are made

    def apply(self) -> None:
        """Add the toctrees."""
        if self.env.docname != self.config.root_doc:
            return
        seen = {self.env.docname}
        for section in list(self.document.findall(nodes.section)):
            links = [
                link for each in section.children if isinstance(each, nodes.bullet_list) for link in pages_in(each)
            ]
            entries = [(None, name) for name in dict.fromkeys(links) if name not in seen]
            seen.update(name for _, name in entries)
            if entries:
                caption = section[0].astext()
                self.document += hidden_toctree(self.env.docname, caption, entries)


def pages_in(node: nodes.Element) -> list[str]:
    """Return the names of the pages that a part of a page links to."""
    return [link["reftarget"] for link in node.findall(addnodes.pending_xref) if link["refdomain"] == "doc"]


def hidden_toctree(parent: str, caption: str, entries: list[tuple[None, str]]) -> nodes.Element:
    """Return a toctree as the directive makes it, which is shown in the sidebar only."""
    names = [name for _, name in entries]
    tree = addnodes.toctree(parent=parent, caption=caption, rawcaption=caption, entries=entries, includefiles=names)
    tree.attributes |= {"maxdepth": 1, "hidden": True, "titlesonly": True}
    tree.attributes |= {"glob": False, "includehidden": False, "numbered": 0}
    wrapper = nodes.compound(classes=["toctree-wrapper"])
    wrapper += tree
    return wrapper


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(Contents)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
