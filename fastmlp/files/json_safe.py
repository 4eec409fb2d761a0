"""Numbers that JSON cannot hold: NaN and the infinities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["json_safe"]


def json_safe(value: Any) -> Any:
    """Return `value`, as JSON takes it, with None for each number that JSON cannot hold.

    >>> json_safe({"loss": [0.5, math.inf], "epochs": 2})
    {'loss': [0.5, None], 'epochs': 2}
    """
    if isinstance(value, Mapping):
        return {name: json_safe(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
