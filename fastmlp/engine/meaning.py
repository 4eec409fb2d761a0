"""What the inputs and outputs of a net mean: names, scale and scaling, and samples as the net takes them."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from fastmlp import html
from fastmlp.arrays import Int64Array
from fastmlp.engine.class_weights import ClassWeight, with_class_weights
from fastmlp.engine.feature_names import check_feature_names
from fastmlp.engine.inputs import Rows, Samples, as_rows
from fastmlp.engine.labels import as_labels
from fastmlp.engine.part_reader import PartReader
from fastmlp.engine.parts import Parts
from fastmlp.engine.sample_weights import as_sample_weights
from fastmlp.engine.scaling import Scaling, check_scaling
from fastmlp.engine.settings import check_class_names, check_number
from fastmlp.engine.sparse_inputs import SparseInputs
from fastmlp.engine.table_columns import TableColumn, check_table_columns
from fastmlp.errors import InvalidValueError

__all__ = ["Meaning", "check_part_names"]


class Meaning:
    """The part of a net that says what its inputs and outputs mean; all of it is kept in model files.

    Raises InvalidValueError or InvalidTypeError where something is set that cannot be used.

    >>> net = Meaning(input_size=2, output_size=2)
    >>> net.class_names = ["lily", "rose"]
    >>> net.class_names
    ('lily', 'rose')
    """

    def __init__(self, input_size: int, output_size: int) -> None:
        self._input_size, self._output_size = input_size, output_size
        self._class_names: tuple[str, ...] | None = None
        self._feature_names: tuple[str, ...] | None = None
        self._input_scale = 1.0
        self._scaling: Scaling | None = None
        self._table_columns: tuple[TableColumn, ...] | None = None

    @property
    def input_size(self) -> int:
        """Inputs D, fixed when the net is made."""
        return self._input_size

    @property
    def output_size(self) -> int:
        """Classes C, fixed when the net is made."""
        return self._output_size

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The name of each class, or None where the labels 0 to C - 1 are their own names."""
        return self._class_names

    @class_names.setter
    def class_names(self, value: Sequence[str] | None) -> None:
        self._class_names = None if value is None else check_class_names(value, self.output_size)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The name of each input, or None where they have none. `fit` takes those of a frame."""
        return self._feature_names

    @feature_names.setter
    def feature_names(self, value: Sequence[str] | None) -> None:
        self._feature_names = None if value is None else check_feature_names(value, self.input_size)

    @property
    def input_scale(self) -> float:
        """What the values of the original data were multiplied by to give X: 1/255 for pixels."""
        return self._input_scale

    @input_scale.setter
    def input_scale(self, value: float) -> None:
        self._input_scale = check_number("input_scale", value)

    @property
    def table_columns(self) -> tuple[TableColumn, ...] | None:
        """How the inputs are made of the columns of a table, None where they are its numbers.

        `fastmlp predict` and `fastmlp evaluate` go by it; `forward` takes the inputs themselves.
        """
        return self._table_columns

    @table_columns.setter
    def table_columns(self, value: Sequence[TableColumn] | None) -> None:
        self._table_columns = None if value is None else check_table_columns(value, self.input_size)

    @property
    def scaling(self) -> Scaling | None:
        """How the net scales its inputs wherever it takes some: `fit`, `forward`, `score`; None where it does not.

        `net.scaling = Scaling.of(X)` sets it, X being the training rows.
        """
        return self._scaling

    @scaling.setter
    def scaling(self, value: Scaling | None) -> None:
        self._scaling = None if value is None else check_scaling(value, self.input_size)

    def _facts(self) -> list[tuple[str, str]]:
        """What a notebook shows of all this."""
        classes = range(self.output_size) if self.class_names is None else self.class_names
        if self.scaling is not None:
            taken = f"as they are: the net scales each column itself, cut off beyond {self.scaling.limit:g}"
        elif self.input_scale != 1:
            taken = f"the original values multiplied by {self.input_scale:.6g}"
        else:
            taken = "as they are; about 0 to 1 is best"
        facts = [("Inputs", taken)]
        if self.table_columns is not None:
            facts.append(("Made of", f"columns {html.names(column.name for column in self.table_columns)}"))
        if self.feature_names is not None:
            facts.append(("Columns", html.names(self.feature_names)))
        return [*facts, ("Classes", html.names(classes))]

    def _scaled(self, name: str, rows: Rows) -> Rows:
        if self._scaling is None:
            return rows
        return rows.scaled(name, *self._scaling) if isinstance(rows, SparseInputs) else self._scaling.apply(name, rows)

    def _rows(self, X: ArrayLike) -> Rows:
        return self._scaled("X", as_rows("X", X, self._input_size, self._feature_names))

    def _samples(
        self,
        X: ArrayLike,
        Y: ArrayLike | None,
        feature_names: tuple[str, ...] | None,
        weights: ArrayLike | None = None,
        part: str = "",
    ) -> Samples:
        rows = self._scaled(f"{part}X", as_rows(f"{part}X", X, self.input_size, feature_names))
        labels = as_labels(f"{part}Y", Y, len(rows), self.output_size)
        return Samples(rows, labels, as_sample_weights(f"{part}sample_weight", weights, len(rows)))

    def _taken(
        self,
        X: ArrayLike | Parts,
        Y: ArrayLike | None,
        feature_names: tuple[str, ...] | None,
        weights: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        part: str = "",
    ) -> Samples | PartReader:
        """X and Y as samples, or parts as this net sees them, which hold their labels themselves."""
        if not isinstance(X, Parts):
            return with_class_weights(self._samples(X, Y, feature_names, weights, part), class_weight, self.output_size)
        for name, value in (("Y", Y), ("sample_weight", weights)):
            if value is not None:
                raise InvalidValueError(f"{part}{name} is given beside parts, which hold their labels: leave it out")
        check_part_names(X, feature_names, part)
        return self._reader(X, feature_names, class_weight)

    def _reader(
        self,
        parts: Parts,
        feature_names: tuple[str, ...] | None,
        class_weight: ClassWeight | None = None,
        counts: Int64Array | None = None,
    ) -> PartReader:
        """Parts as this net sees them; `counts` (P, C) spares reading their labels."""

        def to_samples(rows: ArrayLike, labels: ArrayLike, name: str) -> Samples:
            return self._samples(rows, labels, feature_names, part=name)

        return PartReader(parts, to_samples, self.output_size, class_weight, counts)


def check_part_names(parts: Parts, feature_names: tuple[str, ...] | None, part: str = "") -> None:
    """Raise InvalidValueError where parts have other columns than a net, whose inputs have these names."""
    if None not in (feature_names, parts.feature_names) and feature_names != parts.feature_names:
        raise InvalidValueError(f"{part}parts have the columns {parts.feature_names}, and this net {feature_names}")
