"""The widths that a kernel works in, known when it is compiled: tags of parts of a tile, and sizes as constants.

A tag is a value without content whose type says how many rows and vectors a tile has (`LanesType` in `tiles.py`). From
the tag that a kernel is given it makes those of the parts that it works in.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from .tiles import LanesType, target

__all__ = [
    "block",
    "block_rows",
    "first_pass",
    "last_strip",
    "last_strip_block",
    "panel",
    "row_pair",
    "second_pass",
    "strip",
    "takes_turns",
    "units",
    "vector",
]


@intrinsic
def units(typingctx, lanes):
    """Hidden units of one row of the tile, a compile-time constant."""
    if not isinstance(lanes, LanesType):
        return None
    value = lanes.vectors * lanes.width

    def codegen(context, builder, signature, args):
        return context.get_constant(types.intp, value)

    return types.intp(lanes), codegen


@intrinsic
def takes_turns(typingctx, lanes):
    """Whether a tile is so narrow that two are worth summing in turns (`Target.takes_turns`), a constant."""
    if not isinstance(lanes, LanesType):
        return None
    value = int(target().takes_turns(lanes.vectors))

    def codegen(context, builder, signature, args):
        return context.get_constant(types.boolean, value)

    return types.boolean(lanes), codegen


@intrinsic
def block_rows(typingctx, lanes):
    """Rows of the register block of this width, a compile-time constant."""
    if not isinstance(lanes, LanesType):
        return None
    value = target().block_rows(lanes.vectors)

    def codegen(context, builder, signature, args):
        return context.get_constant(types.intp, value)

    return types.intp(lanes), codegen


def _panel_columns(lanes: LanesType) -> int:
    """`block_rows` of a strip."""
    return target().block_rows(target().strip_vectors(lanes.vectors))


def _last_strip(lanes: LanesType) -> int:
    return lanes.vectors % target().strip_vectors(lanes.vectors) or target().strip_vectors(lanes.vectors)


def _tag(name: str, change: Any, doc: str) -> Any:
    def typing(typingctx, lanes):
        if not isinstance(lanes, LanesType):
            return None

        def codegen(context, builder, signature, args):
            return context.get_dummy_value()

        return change(lanes)(lanes), codegen

    typing.__name__ = name
    typing.__doc__ = doc
    return intrinsic(typing)


block = _tag(
    "block",
    lambda lanes: LanesType(target().block_rows(lanes.vectors), lanes.vectors),
    "Tag of the register block: as many rows of this width as the registers hold.",
)
vector = _tag("vector", lambda lanes: LanesType(1, 1), "Tag of a single vector.")
row_pair = _tag("row_pair", lambda lanes: LanesType(2, lanes.vectors), "Tag of two rows of this width.")
first_pass = _tag(
    "first_pass",
    lambda lanes: LanesType(1, target().pass_vectors(lanes.vectors)[0]),
    "Tag of the part of a tile of which two rows fit the registers; what is left is `second_pass`.",
)
second_pass = _tag(
    "second_pass",
    lambda lanes: LanesType(1, target().pass_vectors(lanes.vectors)[1]),
    "Tag of what `first_pass` leaves of a tile.",
)


strip = _tag(
    "strip",
    lambda lanes: LanesType(1, target().strip_vectors(lanes.vectors)),
    "Tag of a part of a tile that is so narrow that a block of it has several rows.",
)
last_strip = _tag(
    "last_strip",
    lambda lanes: LanesType(1, _last_strip(lanes)),
    "Tag of what whole strips leave of a tile; where they leave nothing, that of a strip, not to compile another.",
)
last_strip_block = _tag(
    "last_strip_block",
    lambda lanes: LanesType(_panel_columns(lanes), _last_strip(lanes)),
    "Tag of a register block of the last strip: as many rows as that of the others has, the columns of a panel.",
)
panel = _tag(
    "panel",
    lambda lanes: LanesType(1, -(-_panel_columns(lanes) // lanes.width)),
    "Tag of as many vectors as hold the columns of a panel.",
)
