"""The documentation site: what is checked when it is built, and that it is built without a warning."""

import subprocess
import sys
from pathlib import Path

import pytest
import site_check

ROOT = Path(__file__).parents[1]


@pytest.fixture
def site(tmp_path):
    """A site of two pages that is as it should be."""
    (tmp_path / "reference").mkdir()
    (tmp_path / "a.html").write_text(
        '<link href="site.css?v=1"><img src="data:image/png;base64,AAAA"><h1 id="top">A</h1><a href="#top"></a>'
        '<a href="reference/b.html#L-1"></a><a href="https://docs.dask.org"></a><a href="mailto:us"></a>',
        encoding="utf-8",
    )
    (tmp_path / "reference" / "b.html").write_text('<a name="L-1" href="../a.html#top"></a>', encoding="utf-8")
    (tmp_path / "site.css").write_text('a { background: url("data:image/svg+xml,x") }', encoding="utf-8")
    return tmp_path


def test_a_sound_site_has_no_problems(site):
    assert site_check.problems(site) == []


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ('<a href="c.html"></a>', "a.html links to c.html, which is not there"),
        ('<a href="reference"></a>', "a.html links to reference, which is not there"),
        ('<a href="reference/b.html#L-2"></a>', "a.html links to reference/b.html#L-2, and there is no such anchor"),
        ('<a href="#bottom"></a>', "a.html links to #bottom, and there is no such anchor"),
        ('<img src="no.png">', "a.html links to no.png, which is not there"),
        ('<script src="//cdn.org/m.js"></script>', "a.html loads //cdn.org/m.js from elsewhere"),
        ('<link href="https://fonts.org/f">', "a.html loads https://fonts.org/f from elsewhere"),
    ],
)
def test_what_is_wrong_with_a_page_is_found(site, added, problem):
    with (site / "a.html").open("a", encoding="utf-8") as page:
        page.write(added)
    assert site_check.problems(site) == [problem]


@pytest.mark.parametrize("rule", ['@import "https://fonts.org/f";', "a { src: url(https://fonts.org/f) }"])
def test_what_a_style_sheet_loads_from_elsewhere_is_found(site, rule):
    (site / "site.css").write_text(rule, encoding="utf-8")
    assert site_check.problems(site) == ["site.css loads https://fonts.org/f from elsewhere"]


@pytest.mark.long
def test_the_site_is_built_without_a_warning(tmp_path):
    """As `make docs` does, which .ci/run calls; the tests' own environment has no Sphinx."""
    for library in ("sphinx", "myst_parser", "numpydoc", "furo", "sklearn"):
        pytest.importorskip(library)
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--conf-dir", "docs"]
    folders = [".", str(tmp_path / "site")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "--doctree-dir", str(tmp_path / "doctrees"), *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    net = (tmp_path / "site" / "docs" / "reference" / "net.html").read_text(encoding="utf-8")
    assert 'id="fastmlp.NeuralNetwork.fit"' in net
    assert "source/fastmlp/network.py.html#L-" in net
    assert "docs/tutorial.html" in (tmp_path / "site" / "CONTRIBUTING.html").read_text(encoding="utf-8")  # the sidebar
