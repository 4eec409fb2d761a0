"""What a run is to do, and the files through which it gets its arrays: shared by the two sides of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["WEIGHTS", "RunSpec", "load_arrays", "save_arrays"]

WEIGHTS = ("W1", "b1", "W2", "b2")


@dataclass(frozen=True)
class RunSpec:
    """One run: which net is trained from which weights, on which data, and how.

    `module` is the contender's. The folder `data` holds x_train, y_train, x_test and y_test, the folder `weights` holds
    W1, b1, W2 and b2, as `save_arrays` writes them. With `parity`, one more epoch from the same weights in the order of
    the data follows, for its loss. The process is pinned to `processors`, unless there are none.
    """

    module: str
    hidden_size: int
    lr: float
    input_size: int
    output_size: int
    seed: int
    threads: int
    batch_size: int
    epochs: int
    data: str
    weights: str
    processors: Sequence[int] = ()
    shuffle: bool = True
    parity: bool = False
    optimizer: str = "sgd"


def save_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write each of the `arrays` into `folder`, as a file with its name."""
    import numpy as np

    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def load_arrays(folder: str, *names: str) -> list[NDArray[Any]]:
    """Return the arrays that `save_arrays` wrote into `folder`, in memory, whole and aligned, as a user holds them."""
    import numpy as np

    arrays: list[NDArray[np.generic]] = [np.load(Path(folder, f"{name}.npy")) for name in names]
    return arrays
