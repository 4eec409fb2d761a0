"""The README's measured table and its pictures, from the results in bench/comparison.json: `make readme`.

To measure anew (20 to 40 minutes, with all libraries installed), then:

    fastmlp compare --output report
    cp report/results.json bench/comparison.json
    make readme
"""

import hashlib
from pathlib import Path
from typing import Any

from fastmlp.comparison.report import markdown
from fastmlp.comparison.report.page import headline
from fastmlp.comparison.report.plots import draw
from fastmlp.comparison.results import read_results
from fastmlp.plots import save_figure

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "comparison.json"
README = ROOT / "README.md"
PICTURES = {name: ROOT / "docs" / f"comparison-{name}.png" for name in ("speed-up", "epoch-time")}

_BEGIN, _END = "<!-- comparison:begin (make readme) -->\n", "<!-- comparison:end -->\n"


def digest() -> str:
    """Return the SHA-256 of the results: each picture carries that of the results from which it was drawn."""
    return hashlib.sha256(RESULTS.read_bytes()).hexdigest()


def block(results: dict[str, Any]) -> str:
    """Return what stands between the two marks in the README."""
    return f"{_BEGIN}{headline(results)}\n\n{markdown(results)}{_END}"


def with_block(readme: str, results: dict[str, Any]) -> str:
    """Return the README with the block of these results. Raises ValueError where the marks are missing."""
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"README.md lacks the lines {_BEGIN.strip()} and {_END.strip()}")
    return before + block(results) + after


def main() -> None:
    """Write the block and the pictures."""
    results = read_results(RESULTS)
    README.write_text(with_block(README.read_text(), results))
    for name, path in PICTURES.items():
        save_figure(draw(name, results), path, digest())
    print(
        f"README.md and {', '.join(str(path.relative_to(ROOT)) for path in PICTURES.values())} are those of {RESULTS}"
    )


if __name__ == "__main__":
    main()
