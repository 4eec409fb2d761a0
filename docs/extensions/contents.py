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
            lists = (each for each in section.children if isinstance(each, nodes.bullet_list))
            entries = {name: title for each in lists for name, title in pages_in(each) if name not in seen}
            seen.update(entries)
            if entries:
                self.document += hidden_toctree(self.env.docname, section[0].astext(), entries)


def pages_in(node: nodes.Element) -> list[tuple[str, str]]:
    """Return the names of the pages that a part of a page links to, each with the text of its link."""
    links = node.findall(addnodes.pending_xref)
    return [(link["reftarget"], link.astext()) for link in links if link["refdomain"] == "doc"]


def hidden_toctree(parent: str, caption: str, pages: dict[str, str]) -> nodes.Element:
    """Return a toctree as the directive makes it, which is shown in the sidebar only."""
    entries = [(title, name) for name, title in pages.items()]
    tree = addnodes.toctree(parent=parent, caption=caption, rawcaption=caption, entries=entries)
    tree.attributes |= {"includefiles": list(pages), "rawentries": list(pages.values())}
    tree.attributes |= {"maxdepth": 1, "hidden": True, "titlesonly": True}
    tree.attributes |= {"glob": False, "includehidden": False, "numbered": 0}
    wrapper = nodes.compound(classes=["toctree-wrapper"])
    wrapper += tree
    return wrapper


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(Contents)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
