"""How Sphinx makes the documentation site of these pages: `make docs` writes it to build/docs.

The pages are Markdown that reads as well in the repository, so that there is no directive in them:
`extensions/contents.py` makes the table of contents of the lists in index.md, and `extensions/source_pages.py` a page
of each file of the source that a page links to. Only the pages of the reference, which are made of docstrings, are
reStructuredText. Formulas are Unicode text: the site needs no MathJax, nor anything else from the network, and
`extensions/site_check.py` sees to that.
"""

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent / "extensions")]

from pygments.lexers import TextLexer
from sphinx.application import Sphinx

import fastmlp

project = "fastmlp"
version = release = fastmlp.__version__
language = "en_GB"

# The source folder is the repository's root, so that a link from page to page, or to a file, is the same on both.
root_doc = "docs/index"
include_patterns = ["docs/**", "bench/README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
exclude_patterns = [".*", "build", "dist", "fastmlp", "tests", "examples"]

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.linkcode",
    "contents",
    "source_pages",
    "site_check",
]

# --- The reference ----------------------------------------------------------------------------------------------------

default_role = "py:obj"  # `names` in docstrings are links where they are public, and else just code
add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    name: name
    for name in ("ArrayLike", "ClassWeight", "Float32Array", "Float64Array", "Int64Array", "Optimizer", "SparseMatrix")
}
_HOME = r"~?(?:\w+\.)*"
_AS_READ = [  # what autodoc makes of a type or a default, and how it is written
    (rf"{_HOME}TypeAliasForwardRef\('(\w+)'\)", r"\1"),
    (rf"{_HOME}ndarray\[tuple\[{_HOME}Any, \.\.\.\], {_HOME}dtype\[{_HOME}(\w+)\]\]", r"NDArray[\1]"),
    ("<factory>", "[]"),
]
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
numpydoc_show_class_members = False  # autodoc shows them
# No `nitpicky`: signatures name types of other libraries, and what those are is known to the network only.


def linkcode_resolve(_domain: str, info: dict[str, str]) -> str | None:
    """Return where the source of a public name is: the page that `source_pages` makes of its file."""
    found = import_module(info["module"])
    for name in info["fullname"].split("."):
        found = getattr(found, name, None)
    found = inspect.unwrap(found.fget if isinstance(found, property) else found)
    try:
        path = Path(inspect.getsourcefile(found)).relative_to(Path(fastmlp.__file__).parent)
        return f"../../source/fastmlp/{path.as_posix()}.html#L-{inspect.getsourcelines(found)[1]}"
    except (OSError, TypeError, ValueError):  # a value, or what a library of others defines
        return None


# --- The pages --------------------------------------------------------------------------------------------------------

myst_heading_anchors = 4
suppress_warnings = ["myst.header"]
html_theme = "furo"
html_title = f"fastmlp {release}"
html_static_path = ["theme/site.css"]
html_css_files = ["site.css"]
html_extra_path = ["theme/index.html"]  # leads to the front page, which is docs/index.html
html_copy_source = False
html_show_copyright = False
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"


def as_read(_app: Sphinx, *signature: object) -> tuple[str | None, ...]:
    """Return the arguments and the result of a signature as they are written in the source."""
    texts = []
    for text in signature[-2:]:  # before them what has the signature, its name and options
        for made, written in _AS_READ if text else ():
            text = re.sub(made, written, text)
        texts.append(text)
    return tuple(texts)


def without_aliases(_app: Sphinx, _what: str, _name: str, found: object, _skip: bool, _options: object) -> bool | None:
    """Leave out the fields of a NamedTuple: the docstring of the class says what they are, and theirs is "Alias"."""
    return True if (getattr(found, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> None:
    """Write signatures as they are read, and show CSV as it is: Pygments has no colours for it."""
    app.connect("autodoc-process-signature", as_read)
    app.connect("autodoc-skip-member", without_aliases)
    app.add_lexer("csv", TextLexer)


# `make docs-links`, which needs the network, asks only for addresses elsewhere: `site_check` has seen to the others.
linkcheck_ignore = [r"^(?!https?://)"]
linkcheck_timeout = 20
