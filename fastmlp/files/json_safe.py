"""Numbers that JSON cannot hold: NaN and the infinities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["finite"]


def finite(value: Any) -> Any:
    """Return `value`, as JSON takes it, with None for each number that JSON cannot hold.

    >>> finite({"loss": [0.5, math.inf], "epochs": 2})
    {'loss': [0.5, None], 'epochs': 2}
    """
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
