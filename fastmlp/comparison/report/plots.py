"""The plots of a comparison: time, accuracy, loss, and how many times as long the other nets take.

A net has the same colour and marker in all of them. The colours are Okabe and Ito's, which colour-blind readers can
tell apart; the markers help where colours do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from fastmlp.comparison.arithmetic import counted_seconds
from fastmlp.comparison.report.tables import ranking
from fastmlp.plots import new_figure, without_formulas
from fastmlp.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PLOTS", "draw"]

Results = Mapping[str, Any]
Row = Mapping[str, Any]

_STYLES = {
    "fastmlp": ("#d55e00", "o"),
    "numpy": ("#0072b2", "s"),
    "keras": ("#009e73", "^"),
    "keras-tuned": ("#56b4e9", "v"),
    "torch": ("#cc79a7", "D"),
    "jax": ("#e69f00", "P"),
    "sklearn": ("#222222", "X"),
}
_OTHER = ("#777777", "*")
_QUIET = "#666666"


def _epoch_time(results: Results) -> Figure:
    figure = new_figure(9, 5.6)
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
                axes.vlines(row["hidden_size"], *spread, color=_STYLES.get(net, _OTHER)[0], lw=1)
        shown += seconds
    rate = results["environment"]["peak_gflops"]
    for count, style, inputs in (("dense", ":", "all inputs"), ("nonzeros", "--", "inputs that are not 0")):
        axes.plot(
            sizes, [of_size[count] for of_size in counted], color=_QUIET, ls=style, lw=1.5, marker="_",
            label=f"arithmetic alone, {inputs},\nat {rate:.0f} GFLOP/s",
        )  # fmt: skip
    # The interval of two repeats may be very wide; it must not flatten the lines.
    axes.set(yscale="log", ylabel="seconds per epoch (log)", ylim=(min(shown) / 1.5, max(shown) * 1.5))
    _hidden_size_axis(axes, sizes)
    _seconds_ticks(axes.yaxis)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _accuracy(results: Results) -> Figure:
    figure = new_figure(9, 5.2)
    axes = figure.subplots()
    for net, rows in _by_net(results).items():
        _plot_net(axes, net, [row["hidden_size"] for row in rows], [100 * row["test_accuracy"] for row in rows])
    axes.set_ylabel("test accuracy (%)")
    _hidden_size_axis(axes, sorted(results["parameters"]["hidden_sizes"]))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _loss(results: Results) -> Figure:
    figure, panels = _panels(results, 3.7)
    handles: dict[str, Any] = {}
    for axes, size, rows in panels:
        for row in rows:
            losses = [math.nan if loss is None else loss for loss in row["history"]["val_loss"]]
            seconds = list(accumulate(row["history"]["seconds"]))
            handles[row["net"]] = _plot_net(axes, row["net"], seconds, losses, small=True)
        axes.set(title=f"{size} hidden units", xscale="log", yscale="log", ylabel="test loss (nats, log)")
        axes.set_xlabel("training seconds (log), a mark per epoch")
        _seconds_ticks(axes.xaxis)
        _seconds_ticks(axes.yaxis)
        axes.grid(alpha=0.3, which="both")
    nets = [net for net in results["parameters"]["nets"] if net in handles]
    names = [without_formulas(net) for net in nets]
    figure.legend([handles[net] for net in nets], names, loc="outside lower center", ncols=len(nets), frameon=False)
    return figure


def _speed_up(results: Results) -> Figure:
    most = max((len(ranking(results, size)) for size in results["parameters"]["hidden_sizes"]), default=1)
    figure, panels = _panels(results, 1.0 + 0.36 * most)
    farthest = 1.0
    for axes, size, rows in panels:
        ranked = [row for row in rows if row["ratio"] is not None]
        for place, row in enumerate(ranked):
            low, high = row["spread"]["ratio"] or (row["ratio"], row["ratio"])
            axes.barh(place, row["ratio"], color=_STYLES.get(row["net"], _OTHER)[0], height=0.7)
            axes.plot([low, high], [place, place], color="#222222", lw=1.2)
            farthest = max(farthest, min(high, 1.5 * row["ratio"]))
        axes.set_yticks(range(len(ranked)), [f"{without_formulas(row['net'])}  {row['ratio']:.2f}" for row in ranked])
        axes.invert_yaxis()
        axes.axvline(1, color=_QUIET, lw=1, ls=":")
        axes.set(title=f"{size} hidden units", xlabel="training time / fastmlp's")
        axes.spines[["top", "right"]].set_visible(False)
    for axes, _, _ in panels:
        axes.set_xlim(0, 1.05 * farthest)
    return figure


PLOTS: dict[str, tuple[str, Callable[[Results], Figure]]] = {
    "epoch-time": ("Time of an epoch against hidden size (median; line: 95 % interval)", _epoch_time),
    "speed-up": ("Training time of the other nets as a multiple of fastmlp's (line: 95 % interval)", _speed_up),
    "accuracy": ("Test accuracy after training against hidden size (median of the repeats)", _accuracy),
    "loss": ("Test loss against training time", _loss),
}
"""The name of each plot, which is also its file's, with its title and the function that draws it."""


def draw(name: str, results: Results) -> Figure:
    """Return the plot `name` of the results, with its title and what was measured.

    Raises MissingLibraryError where matplotlib is not installed.
    """
    title, function = PLOTS[name]
    figure = function(results)
    parameters = results["parameters"]
    figure.suptitle(
        f"{title}\n{printable(results['data']['name'])}, batch {parameters['batch_size']}, "
        f"{parameters['optimizer']} with lr {parameters['lr']:g}, epochs {parameters['epochs']}, "
        f"threads {parameters['threads']}, repeats {parameters['repeats']}",
        fontsize=12, parse_math=False,
    )  # fmt: skip
    return figure


def _by_net(results: Results) -> dict[str, list[Row]]:
    """The rows of each net that has any, in the order of hidden size."""
    rows = sorted((row for row in results["results"] if "error" not in row), key=lambda row: row["hidden_size"])
    found = {net: [row for row in rows if row["net"] == net] for net in results["parameters"]["nets"]}
    return {net: of_net for net, of_net in found.items() if of_net}


def _plot_net(axes: Axes, net: str, x: Sequence[float], y: Sequence[float], small: bool = False) -> Any:
    colour, marker = _STYLES.get(net, _OTHER)
    ours = net == "fastmlp"
    (line,) = axes.plot(
        x, y, label=without_formulas(net), color=colour, marker=marker, markersize=4 if small else 7,
        linewidth=2.4 if ours else 1.3, zorder=3 if ours else 2,
    )  # fmt: skip
    return line


def _panels(results: Results, height: float) -> tuple[Figure, list[tuple[Axes, int, list[Row]]]]:
    """Return a figure with axes for each hidden size that has results, two side by side."""
    sizes = [size for size in results["parameters"]["hidden_sizes"] if ranking(results, size)]
    columns = min(2, len(sizes))
    lines = math.ceil(len(sizes) / 2)
    figure = new_figure(5.2 * columns + 0.4, height * lines + 1.0)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(sizes) :]:
        axes.set_axis_off()
    return figure, [(axes, size, ranking(results, size)) for axes, size in zip(grid.flat, sizes, strict=False)]


def _hidden_size_axis(axes: Axes, sizes: Sequence[int]) -> None:
    axes.set(xscale="log", xlabel="hidden units (log)")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _seconds_ticks(axis: Any) -> None:
    """Label a logarithmic axis with plain numbers: 0.05, 0.1, 0.2, ..."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
