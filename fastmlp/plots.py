"""Pictures: how training went, what the hidden units look for, and what a net confuses.

The colours are those of `fastmlp.palette`: blue and vermilion for two lines, blue over white to red for weights. A
picture is a light card with a margin, so that it can be read on a dark page too, and as wide as a page shows it, so
that its letters stay readable. It is a PNG, SVG or PDF by its file's suffix; a window is never opened, and pyplot's
global state never touched.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp.caller import warn_caller
from fastmlp.engine.sparse_matrices import is_sparse
from fastmlp.errors import InvalidValueError, MissingLibraryError
from fastmlp.files.atomic import write_whole
from fastmlp.palette import LIGHT, MISTAKES
from fastmlp.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastmlp.evaluation import Evaluation, Mistake
    from fastmlp.network import History, NeuralNetwork

__all__ = [
    "PICTURE_SUFFIXES",
    "calm",
    "check_picture",
    "new_figure",
    "plot_confusion",
    "plot_history",
    "plot_units",
    "save_figure",
    "seconds_ticks",
    "short_name",
    "without_formulas",
]

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")

_INK, _QUIET = LIGHT["ink"], LIGHT["quiet"]
_DPI = 160
_MARGIN = 0.12  # inches around a picture
_MOST_UNITS = 100
_SMALLEST_SIDE = 8  # pixels: fewer are features, not an image
_MOST_COUNTS = 20  # classes up to which each cell of a confusion matrix has its number


def check_picture(path: Path) -> None:
    """Refuse `path` as a picture before any work is done for it.

    Raises ValueError for an unknown suffix, ImportError where matplotlib is missing.

    >>> check_picture(Path("history.gif"))
    Traceback (most recent call last):
        ...
    fastmlp.errors.InvalidValueError: history.gif: a picture must end in .png, .svg or .pdf
    """
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise InvalidValueError(f"{path}: a picture must end in .png, .svg or .pdf")
    new_figure(1, 1)


def plot_history(history: History, path: Path, title: str = "Training", measured: str = "test") -> None:
    """Draw the loss and the accuracy of each epoch, test beside train where it was measured.

    With early stopping, a line marks the best epoch and says when the training ended.

    Parameters
    ----------
    history
        What `fit` returned.
    path
        The picture, a .png, .svg or .pdf.
    title
        Stands above it.
    measured
        What the samples are called on which the net was measured after each epoch.

    Raises
    ------
    ValueError
        For an unknown suffix.
    ImportError
        Where matplotlib is missing.
    OSError
        Where the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from fastmlp.network import History
    >>> history = History(loss=[0.7, 0.3], accuracy=[0.8, 0.9])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "history.svg")
    ...     plot_history(history, path)
    ...     path.read_bytes()[:5]
    b'<?xml'
    """
    check_picture(path)
    figure = new_figure(9, 4)
    figure.suptitle(short_name(title, 90), fontsize=12, parse_math=False)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    percent = [100 * value for value in history.accuracy]
    val_percent = [100 * value for value in history.val_accuracy]
    names = "train, mean during the epoch", f"{measured}, after the epoch"
    _draw_curves(loss_axes, names, history.loss, history.val_loss, "{:.4f}")
    _draw_curves(accuracy_axes, names, percent, val_percent, "{:.2f} %")
    loss_axes.set(title="Loss", ylabel="mean cross-entropy (nats)", ylim=(0, None))
    accuracy_axes.set(title="Accuracy", ylabel="samples classified correctly (%)")
    accuracy_axes.set_ylim(top=min(100.0, accuracy_axes.get_ylim()[1]))
    for axes in (loss_axes, accuracy_axes):
        _mark_best_epoch(axes, history)
        axes.legend(loc="best", edgecolor="none")  # with a background: the mark of the best epoch may run behind it
    save_figure(figure, path)


def plot_units(net: NeuralNetwork, path: Path) -> None:
    """Draw what the hidden units look for: the weights W1 of each, as an image.

    The units with the greatest norm of outgoing weights come first; of more than 100 the others are left out. Inputs
    that make no square image of 8 x 8 or more become the columns of one heat map, with a row for each unit.

    Parameters
    ----------
    net
        A trained net.
    path
        The picture, a .png, .svg or .pdf.

    Raises
    ------
    ValueError, ImportError, OSError
        As `plot_history` does.

    Examples
    --------
    >>> import tempfile
    >>> from fastmlp import NeuralNetwork
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "units.png")
    ...     plot_units(NeuralNetwork(hidden_size=3, input_size=64, seed=0), path)
    ...     path.read_bytes()[1:4]
    b'PNG'
    """
    check_picture(path)
    W1, W2 = net.W1, net.W2
    order = np.argsort(-np.linalg.norm(W2, axis=1), kind="stable")[:_MOST_UNITS]
    weights = W1[:, order].T  # (shown, D)
    # A few large weights must not make the others pale: beyond the limit the colour stays the same.
    limit = float(np.quantile(np.abs(weights), 0.995)) or 1.0
    style = {"cmap": _ramp("weights", LIGHT["minus"], LIGHT["card"], LIGHT["plus"]), "vmin": -limit, "vmax": limit}
    side = _image_side(net.input_size)
    if side is None:
        figure, axes, image = _draw_unit_rows(weights, order, style)
    else:
        figure, axes, image = _draw_unit_images(weights.reshape(-1, side, side), W2[order], net, style)
    left_out = net.hidden_size - len(order)
    which = f"the {len(order)} strongest of {net.hidden_size}; {left_out} left out" if left_out else f"all {len(order)}"
    figure.suptitle(f"What the hidden units look for ({which})", fontsize=12)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, extend="both")
    bar.set_label("incoming weight (per unit of input)")
    save_figure(figure, path)


def plot_confusion(evaluation: Evaluation, X: NDArray[np.float32], path: Path, title: str = "Confusion matrix") -> None:
    """Draw the confusion matrix, and beside it the worst mistakes.

    Parameters
    ----------
    evaluation
        What `fastmlp.evaluation.evaluate` returned.
    X : array of shape (n_samples, n_features), float32
        The inputs that were evaluated; where they make square images of 8 x 8 or more, those of the mistakes are shown.
    path
        The picture, a .png, .svg or .pdf.
    title
        Stands above it.

    Raises
    ------
    ValueError, ImportError, OSError
        As `plot_history` does.

    Examples
    --------
    >>> import tempfile
    >>> from fastmlp.evaluation import evaluate
    >>> from fastmlp.network import NeuralNetwork
    >>> net, X = NeuralNetwork(hidden_size=3, input_size=2, output_size=2, seed=0), np.eye(2, dtype=np.float32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "confusion.pdf")
    ...     plot_confusion(evaluate(net, X, [0, 1]), X, path)
    ...     path.read_bytes()[:4]
    b'%PDF'
    """
    check_picture(path)
    figure = new_figure(12 if evaluation.worst else 7, 6.4)
    parts: Any = figure.subfigures(1, 2, width_ratios=(1.15, 1)) if evaluation.worst else (figure, None)
    left, right = parts
    title = short_name(title, 70)
    of = f"{evaluation.n_mistakes:,} of {evaluation.n_samples:,} samples were taken for another class"
    left.suptitle(f"{title}\naccuracy {100 * evaluation.accuracy:.2f} %: {of}", fontsize=12, parse_math=False)
    _draw_confusion(left.subplots(), evaluation)
    side = _image_side(X.shape[1])
    if right is not None and side is None:
        _draw_mistake_bars(right, evaluation)
    elif right is not None and side is not None:
        rows: Any = X[[mistake.row for mistake in evaluation.worst]]
        images = rows.toarray() if is_sparse(rows) else rows
        _draw_mistake_images(right, evaluation, list(images.reshape(-1, side, side)))
    save_figure(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that pyplot does not know of; ImportError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingLibraryError("pictures need matplotlib: pip install 'fastmlp[plot]'") from None
    figure = Figure(figsize=(width, height), facecolor=LIGHT["card"])
    left, bottom = _MARGIN / width, _MARGIN / height
    figure.set_layout_engine("constrained", rect=(left, bottom, 1 - 2 * left, 1 - 2 * bottom))
    return figure


def calm(axes: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Leave a plot the lines that it needs: two sides of its frame, in grey, and a pale grid behind what is drawn."""
    axes.grid(axis=grid, color=LIGHT["line"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(_QUIET)
    axes.tick_params(which="both", color=_QUIET, labelcolor=_INK)


def seconds_ticks(axis: Any, multiples: tuple[float, ...] = (1.0, 2.0, 5.0)) -> None:
    """Label a logarithmic axis with plain numbers: 0.05, 0.1, 0.2, ..., these multiples of powers of 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=multiples))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def save_figure(figure: Figure, path: Path, description: str | None = None) -> None:
    """Write the figure, as its suffix says, with `description` in the file's metadata.

    Letters that the font lacks are reported in one warning, not in one for each.
    """
    kind = path.suffix.lower().removeprefix(".")
    metadata = description and {"Subject" if kind == "pdf" else "Description": description}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write_whole(path, lambda file: figure.savefig(file, format=kind, dpi=_DPI, metadata=metadata))
    others = [warning.message for warning in caught if not str(warning.message).startswith("Glyph ")]
    if len(others) < len(caught):
        others.append(
            UserWarning(f"{path}: matplotlib's font lacks some letters of the names; they are shown as boxes")
        )
    for message in others:
        warn_caller(message)


def without_formulas(name: str) -> str:
    """Return the name as matplotlib shows it as it is: between two dollars it would read a formula.

    >>> without_formulas("$x")
    '\\\\$x'
    """
    return printable(name).replace("$", r"\$")


def short_name(name: str, length: int) -> str:
    """Return the name as it may be printed, cut where it has more than `length` letters.

    >>> short_name("a name that is long", 8)
    'a name …'
    """
    shown = printable(name)
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def _ramp(name: str, *colours: str) -> Any:
    """Return a map of numbers to colours that goes through these."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(name, colours)


def _image_side(input_size: int) -> int | None:
    """Return the side of the square image that the inputs make, None where they make none worth the name."""
    side = math.isqrt(input_size)
    return side if side * side == input_size and side >= _SMALLEST_SIDE else None


# --- Training ---------------------------------------------------------------------------------------------------------


def _mark_best_epoch(axes: Axes, history: History) -> None:
    """Mark the epoch whose net early stopping has kept, and say when it ended the training."""
    if history.best_epoch is not None:
        how = f", stopped after {len(history.loss)}" if history.stopped_early else ""
        axes.axvline(
            history.best_epoch, color=_QUIET, linestyle=":", zorder=0, label=f"best epoch: {history.best_epoch}{how}"
        )


def _draw_curves(axes: Axes, names: tuple[str, str], train: list[float], test: list[float], number: str) -> None:
    """Draw a value of each epoch, train and test, with its last number at the end of the line."""
    from matplotlib.ticker import MaxNLocator

    curves = [(names[0], train, LIGHT["train"], "-", "o"), (names[1], test, LIGHT["test"], "--", "s")]
    for label, values, colour, line, marker in curves:
        if not values:
            continue
        epochs = range(1, len(values) + 1)
        axes.plot(
            epochs, values, color=colour, linestyle=line, marker=marker if len(values) <= 40 else "", markersize=4,
            label=f"{label}; last: {number.format(values[-1])}", clip_on=False,
        )  # fmt: skip
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    calm(axes)


# --- Hidden units -----------------------------------------------------------------------------------------------------


def _draw_unit_images(
    images: NDArray[np.float32], W2: NDArray[np.float32], net: NeuralNetwork, style: dict[str, Any]
) -> tuple[Figure, Any, Any]:
    """Draw images (shown, side, side), each over the class that its unit speaks for most."""
    columns = min(10, math.ceil(math.sqrt(len(images))))
    rows = math.ceil(len(images) / columns)
    figure = new_figure(max(6.0, 1.12 * columns + 1.6), max(3.0, 1.15 * rows + 1.0))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for image, out, axes in zip(images, W2, grid.flat, strict=False):
        drawn = axes.imshow(image, **style)
        best = int(out.argmax())
        name = net.class_names[best] if net.class_names is not None else str(best)
        axes.set_title(f"for {short_name(name, 9)}", fontsize=8, pad=2, color=_INK, parse_math=False)
    figure.supxlabel(
        "red: weight above 0, blue: below 0; “for 3”: the unit's largest outgoing weight goes to class 3", fontsize=9
    )
    return figure, grid, drawn


def _draw_unit_rows(
    weights: NDArray[np.float32], order: NDArray[np.intp], style: dict[str, Any]
) -> tuple[Figure, Any, Any]:
    """Draw weights (shown, D) as one heat map."""
    from matplotlib.ticker import MaxNLocator

    shown, width = weights.shape
    figure = new_figure(min(14.0, 6.0 + 0.08 * width), min(14.0, 3.0 + 0.16 * shown))
    axes = figure.subplots()
    image = axes.imshow(weights, aspect="auto", interpolation="nearest", **style)
    axes.set(xlabel="input (number of the column)", ylabel="hidden unit (number), strongest first")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    step = max(1, math.ceil(shown / 40))
    axes.set_yticks(range(0, shown, step), [str(unit) for unit in order[::step]], fontsize=8)
    return figure, axes, image


# --- Confusion --------------------------------------------------------------------------------------------------------


def _draw_confusion(axes: Axes, evaluation: Evaluation) -> None:
    """Colour each mistake by its share of the true class; hits are left grey, for they would outshine the rest."""
    from matplotlib.colors import ListedColormap

    counts = evaluation.confusion
    n_classes = len(counts)
    with np.errstate(invalid="ignore"):
        shares = 100 * counts / evaluation.support[:, None]  # NaN in the row of a class without samples: left white
    hits = np.eye(n_classes, dtype=bool)
    mistakes = np.ma.masked_where(hits | (counts == 0), shares)
    most = float(mistakes.max()) if mistakes.count() else 1.0
    axes.imshow(np.ma.masked_where(~hits, np.ones_like(shares)), cmap=ListedColormap([LIGHT["line"]]))
    image = axes.imshow(mistakes, cmap=_ramp("mistakes", *MISTAKES), vmin=0, vmax=most, interpolation="nearest")
    if n_classes <= _MOST_COUNTS:
        for i, j in np.argwhere(counts > 0):
            strong = i != j and shares[i, j] > 0.6 * most
            size = 10 if n_classes <= 12 else 7
            axes.text(
                j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=size, color="white" if strong else _INK
            )
        axes.set_xticks(np.arange(n_classes + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(n_classes + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=LIGHT["card"])
        axes.tick_params(which="minor", length=0)
    _name_ticks(axes, evaluation.class_names)
    axes.set(xlabel="predicted class (grey: the right one)", ylabel="true class")
    if mistakes.count():
        bar = axes.figure.colorbar(image, ax=axes, shrink=0.8)
        bar.set_label("mistakes: share of the true class's samples (%)")


def _name_ticks(axes: Axes, names: tuple[str, ...]) -> None:
    """Write the classes' names on both axes, every second or tenth where there is no room for more."""
    step = max(1, math.ceil(len(names) / 40))
    places = range(0, len(names), step)
    labels = [short_name(names[k], 14) for k in places]
    long = max(map(len, labels)) > 3 or len(labels) > 20
    size = 10 if len(labels) <= 20 else 7
    axes.set_xticks(places, labels, fontsize=size, rotation=90 if long else 0, parse_math=False)
    axes.set_yticks(places, labels, fontsize=size, parse_math=False)


def _draw_mistake_images(figure: Any, evaluation: Evaluation, images: list[NDArray[np.float32]]) -> None:
    figure.suptitle("The worst mistakes\n(the true class had the lowest probability)", fontsize=13)
    columns = min(4, len(images))
    grid = figure.subplots(math.ceil(len(images) / columns), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for mistake, image, axes in zip(evaluation.worst, images, grid.flat, strict=False):
        axes.imshow(image, cmap="gray_r")
        axes.set_title(_told(mistake, evaluation.class_names, "\n"), fontsize=9, color=_INK, parse_math=False)


def _draw_mistake_bars(figure: Any, evaluation: Evaluation) -> None:
    """Draw a bar for each mistake where there is no image to show: its loss."""
    figure.suptitle("The worst mistakes\n(the true class had the lowest probability)", fontsize=13)
    axes = figure.subplots()
    places = range(len(evaluation.worst))
    smallest = float(np.finfo(np.float32).tiny)  # a probability of 0 is one that float32 cannot hold
    losses = [-math.log(max(mistake.p_true, smallest)) for mistake in evaluation.worst]
    axes.barh(places, losses, color=LIGHT["test"], height=0.7)
    labels = [f"row {mistake.row}: {_told(mistake, evaluation.class_names, ', ')}" for mistake in evaluation.worst]
    axes.set_yticks(places, labels, fontsize=9, parse_math=False)
    axes.invert_yaxis()
    # From the right: long names leave the axis narrower than its label.
    axes.set_xlabel("loss of the sample, −ln of the true class's probability (nats)", loc="right")
    calm(axes, "x")


def _told(mistake: Mistake, names: tuple[str, ...], between: str) -> str:
    """Return "true 4, predicted 9 (99 %)"."""
    true, predicted = short_name(names[mistake.true], 14), short_name(names[mistake.predicted], 14)
    return f"true {true}{between}predicted {predicted} ({100 * mistake.p_predicted:.0f} %)"
