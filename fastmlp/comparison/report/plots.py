"""The plots of a comparison: seconds to an accuracy, time, accuracy, loss, and how many times as long the others take.

A net has the same colour and marker in all of them, those of `fastmlp.palette`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from fastmlp.comparison.arithmetic import counted_seconds
from fastmlp.comparison.report.reached import Reached, accuracy_to_reach, reached
from fastmlp.comparison.report.tables import ranking
from fastmlp.palette import LIGHT, colour_of, marker_of
from fastmlp.plots import calm, new_figure, seconds_ticks, short_name, without_formulas
from fastmlp.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PLOTS", "alternative_text", "draw", "title_of"]

Results = Mapping[str, Any]
Row = Mapping[str, Any]

_QUIET = LIGHT["quiet"]
_WIDTH = 8  # inches: of a plot over hidden sizes
_MOST_LETTERS = 20  # of a name
_DIGIT = 0.09  # inches: the width of one in a label


def _to_accuracy(results: Results) -> Figure:
    accuracy = accuracy_to_reach(results)
    ones = reached(results, accuracy)
    sizes = {one.hidden_size for one in ones}
    figure = new_figure(7, 2.2 + 0.36 * len(ones))
    axes = figure.subplots()
    farthest = max((one.interval[1] if one.interval else one.seconds or 0 for one in ones), default=0) or 1.0
    for place, one in enumerate(ones):
        _bar_to_accuracy(axes, place, one, results["parameters"]["epochs"])
    names = [_name(one.net) + ("" if len(sizes) == 1 else f", {one.hidden_size}") for one in ones]
    axes.set_yticks(range(len(ones)), names, fontsize=11)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.32 * farthest), xlabel="seconds of training")
    calm(axes, "x")
    axes.tick_params(axis="y", length=0)
    of = ", ".join(str(size) for size in sorted(results["parameters"]["hidden_sizes"]))
    which = (
        f"{sizes.pop()} hidden units, every net's" if len(sizes) == 1 else "Beside the name: hidden units, the net's"
    )
    figure.supxlabel(
        f"{which} best of {of}. Bar: median of the repeats;\nline: 95 % interval for one more repeat. "
        "In grey: what import and first call take before.",
        fontsize=9, color=_QUIET, x=0.02, ha="left",
    )  # fmt: skip
    return figure


def _bar_to_accuracy(axes: Axes, place: int, one: Reached, epochs: int) -> None:
    """Draw a bar of seconds with its interval and its number, or a cross where the accuracy was not reached."""
    colour = colour_of(one.net)
    clear = {"facecolor": LIGHT["card"], "edgecolor": "none", "pad": 1}  # so that no line runs through a number
    at: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 10, "bbox": clear}
    if one.seconds is None:
        axes.plot([0], [place], color=colour, marker="x", markersize=8, markeredgewidth=2.5, clip_on=False)
        told = f"only in {one.n_reached} of {one.repeats} repeats" if one.n_reached else f"not in {epochs} epochs"
        axes.annotate(f"{told}; at best {100 * one.highest:.1f} %", (0, place), (12, 0), color=_QUIET, **at)
        return
    axes.barh(place, one.seconds, color=colour, height=0.66)
    low, high = one.interval or (one.seconds, one.seconds)
    _interval(axes, place, low, high)
    number = axes.annotate(f"{_short(one.seconds)} s", (high, place), (7, 0), fontweight="bold", **at)
    axes.annotate(f"+ {_short(one.start)} s", (1, 0.5), (6, 0), xycoords=number, color=_QUIET, **at)


def _interval(axes: Axes, place: int, low: float, high: float) -> None:
    """Draw an interval over a bar of any colour: a dark line with a bright edge."""
    for colour, width in ((LIGHT["card"], 3.2), (LIGHT["ink"], 1.4)):
        axes.plot([low, high], [place, place], color=colour, lw=width)


def _short(seconds: float) -> str:
    return f"{seconds:.{0 if seconds >= 100 else 1 if seconds >= 10 else 2}f}"


def _epoch_time(results: Results) -> Figure:
    figure = new_figure(_WIDTH, 6.2)
    axes = figure.subplots()
    sizes = sorted(results["parameters"]["hidden_sizes"])
    counted = [counted_seconds(results, size) for size in sizes]
    shown = [seconds for of_size in counted for seconds in of_size.values()]
    for net, rows in _by_net(results).items():
        of_net = [row["hidden_size"] for row in rows]
        seconds = [row["epoch_seconds"] for row in rows]
        _plot_net(axes, net, of_net, seconds)
        for row in rows:
            if spread := row["spread"]["epoch_seconds"]:
                axes.vlines(row["hidden_size"], *spread, color=colour_of(net), lw=1)
        shown += seconds
    rate = results["environment"]["peak_gflops"]
    for count, style, inputs in (("dense", ":", "all inputs"), ("nonzeros", "--", "inputs that are not 0")):
        axes.plot(sizes, [of_size[count] for of_size in counted], color=_QUIET, ls=style, lw=1.5, marker="_")
        axes.annotate(
            f"arithmetic of {inputs}, at {rate:.0f} GFLOP/s", (sizes[0], counted[0][count]), (9, -4),
            textcoords="offset points", va="top", fontsize=9, color=_QUIET,
        )  # fmt: skip
    # The interval of two repeats may be very wide; it must not flatten the lines.
    axes.set(yscale="log", ylabel="seconds per epoch (log)", ylim=(min(shown) / 2, max(shown) * 1.5))
    _hidden_size_axis(axes, sizes)
    seconds_ticks(axes.yaxis)
    _name_nets(figure, *axes.get_legend_handles_labels())
    return figure


def _accuracy(results: Results) -> Figure:
    figure = new_figure(_WIDTH, 5.4)
    axes = figure.subplots()
    for net, rows in _by_net(results).items():
        _plot_net(axes, net, [row["hidden_size"] for row in rows], [100 * row["test_accuracy"] for row in rows])
    axes.set_ylabel("test accuracy (%)")
    _hidden_size_axis(axes, sorted(results["parameters"]["hidden_sizes"]))
    _name_nets(figure, *axes.get_legend_handles_labels())
    return figure


def _loss(results: Results) -> Figure:
    figure, panels = _panels(results, 3.2, share_axes=True)
    handles: dict[str, Any] = {}
    for axes, size, rows in panels:
        for row in rows:
            losses = [math.nan if loss is None else loss for loss in row["history"]["val_loss"]]
            seconds = list(accumulate(row["history"]["seconds"]))
            handles[row["net"]] = _plot_net(axes, row["net"], seconds, losses, small=True)
        axes.set(xscale="log", yscale="log")
        axes.set_title(f"{size} hidden units", fontsize=10)
        seconds_ticks(axes.xaxis)
        seconds_ticks(axes.yaxis, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
        calm(axes)
    figure.supylabel("test loss (nats, log)", fontsize=10)
    for axes, _, _ in panels[-2:]:
        axes.set_xlabel("training seconds (log), a mark per epoch")
    nets = [net for net in results["parameters"]["nets"] if net in handles]
    _name_nets(figure, [handles[net] for net in nets], [_name(net) for net in nets])
    return figure


def _speed_up(results: Results) -> Figure:
    most = max((len(ranking(results, size)) for size in results["parameters"]["hidden_sizes"]), default=1)
    figure, panels = _panels(results, 0.8 + 0.3 * most)
    farthest = 1.0
    for axes, size, rows in panels:
        ranked = [row for row in rows if row["ratio"] is not None]
        for place, row in enumerate(ranked):
            low, high = row["spread"]["ratio"] or (row["ratio"], row["ratio"])
            axes.barh(place, row["ratio"], color=colour_of(row["net"]), height=0.7)
            _interval(axes, place, low, high)
            farthest = max(farthest, min(high, 1.5 * row["ratio"]))
        axes.set_yticks(range(len(ranked)), [f"{_name(row['net'])}  {row['ratio']:.2f}" for row in ranked])
        axes.invert_yaxis()
        axes.axvline(1, color=_QUIET, lw=1, ls=":")
        axes.set_title(f"{size} hidden units", fontsize=10)
        calm(axes, "x")
        axes.tick_params(axis="y", length=0)
    for axes, _, _ in panels:
        axes.set_xlim(0, 1.05 * farthest)
    for axes, _, _ in panels[-2:]:
        axes.set_xlabel("training time / fastmlp's")
    return figure


PLOTS: dict[str, tuple[str, Callable[[Results], Figure]]] = {
    "to-accuracy": ("Seconds of training to {accuracy} test accuracy", _to_accuracy),
    "epoch-time": ("Time of an epoch against hidden size (median; line: 95 % interval)", _epoch_time),
    "speed-up": ("Training time of the other nets as a multiple of fastmlp's (line: 95 % interval)", _speed_up),
    "accuracy": ("Test accuracy after training against hidden size (median of the repeats)", _accuracy),
    "loss": ("Test loss against training time", _loss),
}
"""The name of each plot, which is also its file's, with its title and the function that draws it."""


def title_of(name: str, results: Results) -> str:
    """Return the title of the plot `name` of these results."""
    return PLOTS[name][0].replace("{accuracy}", f"{100 * float(accuracy_to_reach(results)):g} %")


def alternative_text(name: str, results: Results) -> str:
    """Return what the plot `name` shows, for those who cannot see it; its other numbers stand in the tables."""
    if name != "to-accuracy":
        return title_of(name, results)
    ones = reached(results, accuracy_to_reach(results))
    return f"{title_of(name, results)}: " + ", ".join(
        f"{one.net} {'not reached' if one.seconds is None else f'{_short(one.seconds)} s'}" for one in ones
    )


def draw(name: str, results: Results) -> Figure:
    """Return the plot `name` of the results, with its title and what was measured.

    Raises MissingLibraryError where matplotlib is not installed.
    """
    figure = PLOTS[name][1](results)
    parameters = results["parameters"]
    figure.suptitle(
        f"{title_of(name, results)}\n{printable(results['data']['name'])}, batch {parameters['batch_size']}, "
        f"{parameters['optimizer']} with lr {parameters['lr']:g}, epochs {parameters['epochs']}, "
        f"threads {parameters['threads']}, repeats {parameters['repeats']}",
        fontsize=11, parse_math=False,
    )  # fmt: skip
    return figure


def _name(net: str) -> str:
    """Return the name of a net as it stands in a plot."""
    return without_formulas(short_name(net, _MOST_LETTERS))


def _by_net(results: Results) -> dict[str, list[Row]]:
    """The rows of each net that has any, in the order of hidden size."""
    rows = sorted((row for row in results["results"] if "error" not in row), key=lambda row: row["hidden_size"])
    found = {net: [row for row in rows if row["net"] == net] for net in results["parameters"]["nets"]}
    return {net: of_net for net, of_net in found.items() if of_net}


def _plot_net(axes: Axes, net: str, x: Sequence[float], y: Sequence[float], small: bool = False) -> Any:
    ours = net == "fastmlp"
    (line,) = axes.plot(
        x, y, label=_name(net), color=colour_of(net), marker=marker_of(net), markersize=4 if small else 7,
        linewidth=2.4 if ours else 1.3, zorder=3 if ours else 2,
    )  # fmt: skip
    return line


def _panels(
    results: Results, height: float, share_axes: bool = False
) -> tuple[Figure, list[tuple[Axes, int, list[Row]]]]:
    """Return a figure with axes for each hidden size that has results, two side by side."""
    sizes = [size for size in results["parameters"]["hidden_sizes"] if ranking(results, size)]
    columns = min(2, len(sizes))
    lines = math.ceil(len(sizes) / 2)
    figure = new_figure(4.5 * columns + 0.4, height * lines + 1.0)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=share_axes, sharey=share_axes)
    for axes in grid.flat[len(sizes) :]:
        axes.set_axis_off()
    return figure, [(axes, size, ranking(results, size)) for axes, size in zip(grid.flat, sizes, strict=False)]


def _hidden_size_axis(axes: Axes, sizes: Sequence[int]) -> None:
    axes.set(xscale="log", xlabel="hidden units (log)")
    axes.set_xticks(sizes, _staggered(sizes, 0.75 * _WIDTH))
    axes.set_xticks([], minor=True)
    calm(axes)


def _staggered(sizes: Sequence[int], width: float) -> list[str]:
    """Return a label for each size on a logarithmic axis of so many inches: one line lower where two would touch.

    A label that has no room on the second line either is left out.
    """
    whole = math.log(sizes[-1] / sizes[0]) or 1.0
    ends = [-math.inf, -math.inf]  # of what stands on each line
    labels = []
    for size in sizes:
        text, middle = str(size), width * math.log(size / sizes[0]) / whole
        half = _DIGIT * (len(text) + 1) / 2
        line = next((line for line, end in enumerate(ends) if middle - half >= end), None)
        labels.append("" if line is None else "\n" * line + text)
        if line is not None:
            ends[line] = middle + half
    return labels


def _name_nets(figure: Figure, lines: Sequence[Any], names: Sequence[str]) -> None:
    """Say below the plots which line is which net's."""
    figure.legend(lines, names, loc="outside lower center", ncols=4, frameon=False, fontsize=10)
