"""The nonzero lanes of a vector, written one after another with their columns, without a branch on any of them.

Where they stand in a row no processor foresees: a branch for each costs more than the lane's share of the hidden layer.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from .tiles import INT32, TileType, constant, shuffle, splat, vectors_of

__all__ = ["append_nonzeros"]

_INT8 = ir.IntType(8)
_EIGHT = ir.VectorType(INT32, 8)
_MASKS = 256  # of eight lanes


@functools.cache
def _has_avx2() -> bool:
    """Whether the machine moves eight lanes to any places in one instruction."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return "+avx2" in features.split(",")


@intrinsic
def append_nonzeros(typingctx, entries, count, tile, column):
    """Write the nonzeros of a one-vector tile, the first of which is of this column, to entries from `count` on.

    Returns the new count. NaN is not 0. Entries beyond it, as many as the vector has lanes, may hold anything after.
    """
    if not (isinstance(entries, types.Array) and isinstance(tile, TileType) and tile.rows * tile.vectors == 1):
        return None

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        words = builder.bitcast(data, INT32.as_pointer())
        _, at, _, first = args
        (vector,) = vectors_of(builder, args[2])
        first = builder.trunc(first, INT32)
        append = _append_eight if _has_avx2() and tile.width % 8 == 0 else _append_each
        step = 8 if append is _append_eight else tile.width
        for lane in range(0, tile.width, step):
            part = shuffle(builder, vector, vector, list(range(lane, lane + step)))
            at = append(builder, words, at, part, builder.add(first, INT32(lane)))
        return at

    return types.intp(entries, types.intp, tile, types.intp), codegen


def _not_zero(builder: Any, vector: Any) -> Any:
    """A bit for each lane: 1 where it is not 0. NaN is not 0."""
    return builder.fcmp_unordered("!=", vector, constant(vector.type, 0.0))


def _append_each(builder: Any, words: Any, at: Any, vector: Any, first: Any) -> Any:
    """A zero is written too, and written over by the next lane."""
    values = builder.bitcast(vector, ir.VectorType(INT32, vector.type.count))
    nonzero = _not_zero(builder, vector)
    for lane in range(vector.type.count):
        entry = builder.gep(words, [builder.shl(at, at.type(1))])
        builder.store(builder.add(first, INT32(lane)), entry)
        builder.store(builder.extract_element(values, INT32(lane)), builder.gep(entry, [INT32(1)]))
        at = builder.add(at, builder.zext(builder.extract_element(nonzero, INT32(lane)), at.type))
    return at


def _append_eight(builder: Any, words: Any, at: Any, vector: Any, first: Any) -> Any:
    """A table says for each mask of eight lanes which lane goes where."""
    mask = builder.bitcast(_not_zero(builder, vector), _INT8)
    places = builder.load(builder.gep(_table(builder.module), [INT32(0), builder.zext(mask, INT32)]), align=8)
    places = builder.zext(places, _EIGHT)
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector.type, [vector.type, _EIGHT]), "llvm.x86.avx2.permps"
    )
    values = builder.bitcast(builder.call(function, [vector, places]), _EIGHT)
    columns = builder.add(places, splat(builder, _EIGHT, first))
    entry = builder.gep(words, [builder.shl(at, at.type(1))])
    for half in (0, 4):
        pairs = shuffle(builder, columns, values, [half + k // 2 + 8 * (k % 2) for k in range(8)])
        builder.store(pairs, builder.bitcast(builder.gep(entry, [INT32(2 * half)]), _EIGHT.as_pointer()), align=4)
    return builder.add(at, builder.zext(builder.ctpop(mask), at.type))


def _table(module: Any) -> Any:
    """For each mask the numbers of its lanes, in order, then zeros: a constant (256,) of eight bytes."""
    name = "fastmlp_lanes_of_mask"
    if name in module.globals:
        return module.globals[name]
    row = ir.VectorType(_INT8, 8)
    rows = []
    for mask in range(_MASKS):
        lanes = [lane for lane in range(8) if mask >> lane & 1]
        rows.append(ir.Constant(row, lanes + [0] * (8 - len(lanes))))
    kind = ir.ArrayType(row, _MASKS)
    table = ir.GlobalVariable(module, kind, name)
    table.linkage, table.global_constant, table.initializer = "internal", True, ir.Constant(kind, rows)
    return table
