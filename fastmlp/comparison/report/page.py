"""The report of a comparison: an HTML page that needs no other file, the plots as files, and the raw results."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastmlp.comparison.report.plots import PLOTS, alternative_text, draw, title_of
from fastmlp.comparison.report.tables import DETAILS_NOTE, TABLES, cells, failures, notes, ranking
from fastmlp.comparison.results import PARITY
from fastmlp.comparison.results_file import write_results
from fastmlp.errors import MissingLibraryError
from fastmlp.files.atomic import write_whole
from fastmlp.palette import css_variables
from fastmlp.plots import save_figure
from fastmlp.printable import printable

__all__ = ["PAGE", "RESULTS", "files_of_report", "headline", "protocol", "write_report"]

Results = Mapping[str, Any]

PAGE = "report.html"
RESULTS = "results.json"
_SUFFIXES = ("png", "svg")  # of the plots

_LEAD = "to-accuracy"  # the plot that stands before all others

_STYLE = (
    css_variables()
    + """* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 62rem; }
body { margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word; }
h1 { margin-bottom: .2rem; line-height: 1.2; } h3 { margin-bottom: .4rem; }
h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; margin: .4rem 0 1rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--page); }
th { font-weight: 600; color: var(--quiet); }
tr.ours td { font-weight: 700; } tr.unranked td { color: var(--quiet); }
.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.lead { font-size: 1.15rem; }
.warn { background: var(--warn); padding: .5rem .8rem; border-left: 4px solid var(--accent); border-radius: .3rem; }
.wide { overflow-x: auto; } .wide:focus-visible { outline: 3px solid var(--accent); }
figure { margin: 1rem 0; }
img { display: block; max-width: 100%; min-width: 34rem; border-radius: .6rem; background: #fff; }
.first img { min-width: 0; }
footer, .note { color: var(--quiet); font-size: .92rem; }
"""
)


def files_of_report(folder: Path) -> list[Path]:
    """Return the files that `write_report` writes into `folder`."""
    plots = [f"{name}.{suffix}" for name in PLOTS for suffix in _SUFFIXES]
    return [folder / name for name in (RESULTS, PAGE, *plots)]


def write_report(results: Results, folder: Path) -> Path:
    """Write the page, the plots (PNG and SVG) and the results into `folder`; return the page's path.

    `folder` is created if it does not exist; each file is written whole or not at all. Without matplotlib the page says
    that the plots are missing. Raises OSError where something cannot be written.
    """
    folder.mkdir(exist_ok=True)
    write_results(results, folder / RESULTS)
    page = folder / PAGE
    text = _page(results, _write_plots(results, folder))
    write_whole(page, lambda file: file.write(text.encode()))
    return page


def _write_plots(results: Results, folder: Path) -> dict[str, bytes] | None:
    """Write the plots; return each as SVG, or None where matplotlib is not installed."""
    pictures: dict[str, bytes] = {}
    if all("error" in row for row in results["results"]):
        return pictures
    try:
        for name in PLOTS:
            figure = draw(name, results)
            for suffix in _SUFFIXES:
                save_figure(figure, folder / f"{name}.{suffix}")
            pictures[name] = (folder / f"{name}.svg").read_bytes()
    except MissingLibraryError:
        return None
    return pictures


def protocol(results: Results) -> list[str]:
    """Return how the comparison was made, one rule at a time."""
    parameters, rounds = results["parameters"], results["rounds"]
    return [
        "Each net trains in a process of its own, whose number of threads is set before anything is imported and which "
        f"is pinned to as many processors ({parameters['threads']}).",
        "All nets of a round get the same float32 data in memory, the same initial weights, batch size, learning rate "
        "and number of epochs; each shuffles the samples in every epoch, as it does for its users.",
        "The nets of a round take turns, an epoch each, A B C, A B C, …, so that a slow moment of the machine hits all "
        "of them. Every hidden size has its first round before any has its second.",
        "Import, first call (compilation, tracing) and epochs are timed separately; the time in the tables is that of "
        "the epochs, without evaluation.",
        "Times and ratios are medians over the repeats. The ratio of a repeat is the median over its epochs, each "
        "divided by fastmlp's epoch in the same turn, so a stall of the machine in one epoch changes the time but not "
        "the ratio. The intervals of all nets and hidden sizes together contain the values of one more repeat with a "
        "probability of 95 %: by Student's t on logarithms and Bonferroni's inequality, with one pooled standard "
        "deviation, because the few repeats of a net may agree by chance.",
        "Before and after every round, a probe measures the rate of multiply-adds on all threads; a round in which it "
        "falls below 80 % of its best is repeated. "
        f"Rounds: {rounds['run']}, of which disturbed: {rounds['disturbed']}.",
        "Parity: from the same weights and in the same order, the mean loss of the first epoch must be within "
        f"{PARITY:g} of fastmlp's, relative; otherwise the net is not ranked.",
        "Peak memory is that of the process at the end of training, including the data.",
    ]


def headline(results: Results) -> str:
    """Return in a sentence or two how the fastest other net compares with ours, and whether that is certain."""
    nearest, single, unsure = [], [], []
    for size in results["parameters"]["hidden_sizes"]:
        others = [row for row in ranking(results, size) if row["net"] != "fastmlp" and row["ratio"] is not None]
        if others:
            fastest = min(others, key=lambda row: float(row["ratio"]))
            nearest.append((fastest["ratio"], fastest["net"], size))
            spread = fastest["spread"]["ratio"]
            if spread is None:
                single.append(str(size))
            elif spread[0] <= 1 <= spread[1]:
                unsure.append(str(size))
    if not nearest:
        return "No other net could be ranked beside fastmlp."
    low, high = min(nearest), max(nearest)
    if len(nearest) == 1:
        text = f"The fastest other net, {low[1]}, takes {low[0]:.2f} times fastmlp's training time."
    else:
        text = (
            f"The fastest other net takes {low[0]:.2f} ({low[1]}, {low[2]} hidden units) to {high[0]:.2f} times "
            f"({high[1]}, {high[2]}) fastmlp's training time."
        )
    if single:
        text += f" At {', '.join(single)} there is only a single run, so its variation is unknown."
    if unsure:
        text += f" At {', '.join(unsure)} so few repeats leave it open which is faster: the interval includes 1."
    return text


def _text(text: str) -> str:
    """Return `text` for a place in the page where only text belongs."""
    return html.escape(printable(text))


def _page(results: Results, pictures: Mapping[str, bytes] | None) -> str:
    name = _text(results["data"]["name"])
    parts = [f"<h1>Small neural networks compared</h1>\n<p class='lead'>{_text(headline(results))}</p>"]
    if pictures:
        parts.append(_figure(_LEAD, results, pictures[_LEAD], "first"))
    parts += [f"<p>{_text(line)}</p>" for line in notes(results)[:2]]
    parts += [f"<p class='warn'>{_text(line)}</p>" for line in notes(results)[2:]]
    missing = failures(results)
    if missing:
        parts.append("<div class='warn'>Without a result:" + _list(missing) + "</div>")
    parts += _section_of_plots(results, pictures)
    parts.append("<h2>Figures</h2>")
    for size in results["parameters"]["hidden_sizes"]:
        rows = ranking(results, size)
        if rows:
            parts.append(
                f"<h3>{size} hidden units</h3>"
                + "".join(_table(rows, columns, f"{size} hidden units") for columns in TABLES)
            )
    parts.append(f"<p class='note'>{_text(DETAILS_NOTE)}</p>")
    parts.append("<h2>How it was measured</h2>" + _list(protocol(results)))
    parts.append("<h2>Versions and machine</h2>" + _facts(results))
    parts.append(
        f"<footer><p>Made by <code>fastmlp compare</code>; the raw results are in <code>{RESULTS}</code>, from which "
        f"<code>fastmlp report {RESULTS}</code> makes this page again.</p></footer>"
    )
    body = "\n".join(parts)
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>fastmlp compare: {name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _section_of_plots(results: Results, pictures: Mapping[str, bytes] | None) -> list[str]:
    if pictures is None:
        return ["<p class='warn'>The plots are missing: they need matplotlib (pip install 'fastmlp[plot]').</p>"]
    others = [_figure(name, results, svg) for name, svg in pictures.items() if name != _LEAD]
    return ["<h2>Plots</h2>", *others] if others else []


def _figure(name: str, results: Results, svg: bytes, kind: str = "wide") -> str:
    """Return a plot as part of the page: a light card, which a narrow screen scrolls sideways where it is wide."""
    told = _text(alternative_text(name, results))
    scrolls = f" tabindex='0' role='group' aria-label='{_text(title_of(name, results))}'" if kind == "wide" else ""
    source = base64.b64encode(svg).decode()
    return f"<figure class='{kind}'{scrolls}><img alt='{told}' src='data:image/svg+xml;base64,{source}'></figure>"


def _table(rows: Sequence[Mapping[str, Any]], columns: Any, label: str) -> str:
    lines = [
        f"<div class='wide' tabindex='0' role='group' aria-label='{_text(label)}'><table>",
        "<tr>" + "".join(f"<th scope='col'>{_text(name)}</th>" for name in columns) + "</tr>",
    ]
    for row in rows:
        kind = "ours" if row["net"] == "fastmlp" else "" if row["parity"]["passed"] else "unranked"
        texts = "".join(f"<td>{_text(text)}</td>" for text in cells(row, columns))
        lines.append(f"<tr class='{kind}'>{texts}</tr>")
    return "\n".join([*lines, "</table></div>"])


def _facts(results: Results) -> str:
    versions = {row["net"]: row["version"] for row in results["results"] if "error" not in row}
    facts = {**{f"net {net}": text for net, text in versions.items()}, **results["environment"]}
    lines = "".join(f"<tr><td>{_text(name)}</td><td>{_text(_shown(value))}</td></tr>" for name, value in facts.items())
    return f"<table class='facts'>{lines}</table>"


def _shown(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>"
