"""The measured tables and pictures of README.md and docs/comparison.md, from bench/comparison.json: `make readme`.

To measure anew (20 to 40 minutes, with all libraries installed):

    fastmlp compare --output report
    cp report/results.json bench/comparison.json
    make readme
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from fastmlp.comparison.report import markdown
from fastmlp.comparison.report.page import headline
from fastmlp.comparison.report.plots import draw
from fastmlp.comparison.report.tables import MEASURED, ranking
from fastmlp.comparison.results_file import read_results
from fastmlp.plots import save_figure

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "comparison.json"
PICTURES = {name: ROOT / "docs" / f"comparison-{name}.png" for name in ("to-accuracy", "speed-up", "epoch-time")}

BEGIN, END = "<!-- comparison:begin (make readme) -->\n", "<!-- comparison:end -->\n"


def digest() -> str:
    """Return the SHA-256 of the results; each picture carries that of the results it was drawn from."""
    return hashlib.sha256(RESULTS.read_bytes()).hexdigest()


def summary(results: Mapping[str, Any]) -> str:
    """Return the README's block: the headline, and for each hidden size ours beside the fastest other net."""
    columns = (
        "Hidden units", "fastmlp", "Fastest other net", "Its time", "Its time / fastmlp's", "Accuracy, fastmlp",
        "Accuracy, other",
    )  # fmt: skip
    lines = [headline(results), "", _row(columns), "|" + "---|" * len(columns)]
    for size in results["parameters"]["hidden_sizes"]:
        rows = ranking(results, size)
        ours = next(row for row in rows if row["net"] == "fastmlp")
        other = next(row for row in rows if row["net"] != "fastmlp")
        times = [MEASURED[column](other) for column in ("Net", "Time", "Time / fastmlp's")]
        accuracies = [MEASURED["Test accuracy"](row) for row in (ours, other)]
        lines.append(_row([str(size), MEASURED["Time"](ours), *times, *accuracies]))
    parameters = results["parameters"]
    lines += [
        "",
        f"MNIST, {parameters['epochs']} epochs, batches of {parameters['batch_size']}, {parameters['threads']} threads "
        f"on {results['environment']['cpu']}: medians of {parameters['repeats']} repeats; accuracy on the test set. A "
        "ratio compares epochs that ran side by side, so it differs a little from the quotient of the times; in "
        "brackets, its 95 % interval.",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def full(results: Mapping[str, Any]) -> str:
    """Return the block of docs/comparison.md: the headline and all nets at all hidden sizes."""
    return f"{headline(results)}\n\n{markdown(results)}"


PAGES: dict[Path, Callable[[Mapping[str, Any]], str]] = {
    ROOT / "README.md": summary,
    ROOT / "docs" / "comparison.md": full,
}
"""Each page that has a block of figures, and what writes that block."""


def with_block(page: str, block: str) -> str:
    """Return the text of a page with `block` between its two marks. Raises ValueError where the marks are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the lines {BEGIN.strip()} and {END.strip()}")
    return before + begin + block + end + after


def main() -> None:
    """Write the blocks and the pictures."""
    results = read_results(RESULTS)
    for page, block in PAGES.items():
        page.write_text(with_block(page.read_text(encoding="utf-8"), block(results)), encoding="utf-8")
    for name, path in PICTURES.items():
        save_figure(draw(name, results), path, digest())
    written = ", ".join(str(path.relative_to(ROOT)) for path in (*PAGES, *PICTURES.values()))
    print(f"written from {RESULTS.relative_to(ROOT)}: {written}")


if __name__ == "__main__":
    main()
