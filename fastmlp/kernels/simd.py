"""Operations on a register tile: loads and stores, multiply-adds, dot products.

With them a kernel reads as mathematics:

    acc = load(b1, 0, lanes)                            # units(lanes) biases
    for k in range(start, stop):                        # the nonzeros of one sample
        acc = axpy(acc, values[k], load(W1, columns[k] * units(lanes), lanes))
    store(relu(acc), hidden, 0)

Offsets count float32 elements from the start of a C-contiguous array; nothing is checked, as in any array access of a
kernel. No operation carries a fast-math flag: each sum runs in the order in which it is written.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .tiles import (
    INT32,
    LanesType,
    TileType,
    address_of,
    constant,
    fused_multiply_add,
    is_array,
    load_scalar,
    load_vectors,
    shuffle,
    splat,
    tile_of,
    vector_at,
    vector_of,
    vectors_of,
)

__all__ = [
    "add_rows",
    "axpy",
    "axpy_rows",
    "broadcast",
    "dots",
    "element",
    "load",
    "load_rows",
    "prefetch",
    "rank1",
    "rank1_rows",
    "repeat_rows",
    "row_offsets",
    "rows_of",
    "store",
    "store_fours",
    "store_rows",
]

_LINE_BYTES = 64  # of a cache


@intrinsic
def element(typingctx, array, index):
    """array[index], a whole number as intp; unlike in Python, no index counts from the end, so none is looked at."""
    if not (isinstance(array, types.Array) and array.layout == "C"):
        return None
    result = array.dtype if array.dtype == types.float32 else types.intp

    def codegen(context, builder, signature, args):
        value = builder.load(address_of(context, builder, signature.args[0], args[0], args[1]))
        return value if result == types.float32 else builder.zext(value, context.get_value_type(types.intp))

    return result(array, types.intp), codegen


# --- Tile operations --------------------------------------------------------------------------------------------------


@intrinsic
def load(typingctx, array, offset, lanes):
    """Tile of the consecutive elements from `offset`."""
    if not (is_array(array) and isinstance(lanes, LanesType)):
        return None
    tile = TileType(lanes.rows, lanes.vectors)

    def codegen(context, builder, signature, args):
        address = address_of(context, builder, signature.args[0], args[0], args[1])
        return tile_of(builder, load_vectors(builder, address, vector_of(tile), tile.rows * tile.vectors))

    return tile(array, types.intp, lanes), codegen


@intrinsic
def broadcast(typingctx, value, lanes):
    """Tile with `value` in every lane."""
    if not isinstance(lanes, LanesType):
        return None
    tile = TileType(lanes.rows, lanes.vectors)

    def codegen(context, builder, signature, args):
        return tile_of(builder, [splat(builder, vector_of(tile), args[0])] * (tile.rows * tile.vectors))

    return tile(types.float32, lanes), codegen


@intrinsic
def repeat_rows(typingctx, tile, lanes):
    """Tile whose rows are all copies of a one-row tile."""
    if not (isinstance(tile, TileType) and tile.rows == 1 and isinstance(lanes, LanesType)):
        return None
    result = TileType(lanes.rows, tile.vectors)

    def codegen(context, builder, signature, args):
        return tile_of(builder, vectors_of(builder, args[0]) * result.rows)

    return result(tile, lanes), codegen


@intrinsic
def store(typingctx, tile, array, offset):
    """Write the tile to consecutive elements from `offset`."""
    if not (isinstance(tile, TileType) and is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        vec = vector_of(tile)
        address = address_of(context, builder, signature.args[1], args[1], args[2])
        for v, vector_ in enumerate(vectors_of(builder, args[0])):
            builder.store(vector_, vector_at(builder, address, vec, v), align=4)
        return context.get_dummy_value()

    return types.void(tile, array, types.intp), codegen


@intrinsic
def axpy(typingctx, acc, x, row):
    """acc + x * row: a scalar times a tile, added to a tile, rounded once."""
    if not (isinstance(acc, TileType) and acc == row):
        return None

    def codegen(context, builder, signature, args):
        x_vec = splat(builder, vector_of(acc), args[1])
        pairs = zip(vectors_of(builder, args[0]), vectors_of(builder, args[2]), strict=True)
        return tile_of(builder, [fused_multiply_add(builder, x_vec, w, a) for a, w in pairs])

    return acc(acc, types.float32, row), codegen


def _rank1(builder: Any, acc: TileType, tile: Any, factors: list[Any], row: Any) -> Any:
    """Block + outer product of `factors` (one per row of the block) and a one-row tile."""
    vectors = vectors_of(builder, tile)
    for r, factor in enumerate(factors):
        factor_vec = splat(builder, vector_of(acc), factor)
        for v, w in enumerate(vectors_of(builder, row)):
            at = r * acc.vectors + v
            vectors[at] = fused_multiply_add(builder, factor_vec, w, vectors[at])
    return tile_of(builder, vectors)


def _is_block_of(acc: Any, row: Any) -> bool:
    return isinstance(acc, TileType) and isinstance(row, TileType) and row.rows == 1 and acc.vectors == row.vectors


@intrinsic
def rank1(typingctx, acc, factors, start, stride, row):
    """acc[r] + factors[start + r * stride] * row for each row r of the block: a rank-1 update."""
    if not (is_array(factors) and _is_block_of(acc, row)):
        return None

    def codegen(context, builder, signature, args):
        address = address_of(context, builder, signature.args[1], args[1], args[2])
        scalars = []
        for _ in range(acc.rows):
            scalars.append(load_scalar(builder, address))
            address = builder.gep(address, [args[3]])
        return _rank1(builder, acc, args[0], scalars, args[4])

    return acc(acc, factors, types.intp, types.intp, row), codegen


@intrinsic
def rows_of(typingctx, tile):
    """Tag of a tile of as many rows of the same width."""
    if not isinstance(tile, TileType):
        return None

    def codegen(context, builder, signature, args):
        return context.get_dummy_value()

    return LanesType(tile.rows, tile.vectors)(tile), codegen


@intrinsic
def load_rows(typingctx, array, offset, stride, lanes):
    """Tile whose row r has the consecutive elements from offset + r * stride on."""
    if not (is_array(array) and isinstance(lanes, LanesType)):
        return None
    tile = TileType(lanes.rows, lanes.vectors)

    def codegen(context, builder, signature, args):
        address = address_of(context, builder, signature.args[0], args[0], args[1])
        vectors = []
        for _ in range(tile.rows):
            vectors += load_vectors(builder, address, vector_of(tile), tile.vectors)
            address = builder.gep(address, [args[2]])
        return tile_of(builder, vectors)

    return tile(array, types.intp, types.intp, lanes), codegen


@intrinsic
def store_rows(typingctx, tile, array, offset, stride):
    """Write row r of the tile to the consecutive elements from offset + r * stride on."""
    if not (isinstance(tile, TileType) and is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        vec, vectors = vector_of(tile), vectors_of(builder, args[0])
        address = address_of(context, builder, signature.args[1], args[1], args[2])
        for r in range(tile.rows):
            for v in range(tile.vectors):
                builder.store(vectors[r * tile.vectors + v], vector_at(builder, address, vec, v), align=4)
            address = builder.gep(address, [args[3]])
        return context.get_dummy_value()

    return types.void(tile, array, types.intp, types.intp), codegen


@intrinsic
def axpy_rows(typingctx, acc, x, z, row):
    """acc of two rows + (x * row, z * row): the row is in registers for both."""
    if not (_is_block_of(acc, row) and acc.rows == 2):
        return None

    def codegen(context, builder, signature, args):
        return _rank1(builder, acc, args[0], [args[1], args[2]], args[3])

    return acc(acc, types.float32, types.float32, row), codegen


@intrinsic
def add_rows(typingctx, acc, array, offset, stride):
    """array += acc, row r of acc to the elements from offset + r * stride on."""
    if not (isinstance(acc, TileType) and is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        vec, vectors = vector_of(acc), vectors_of(builder, args[0])
        address = address_of(context, builder, signature.args[1], args[1], args[2])
        for r in range(acc.rows):
            for v in range(acc.vectors):
                at = vector_at(builder, address, vec, v)
                total = builder.fadd(builder.load(at, align=4, typ=vec), vectors[r * acc.vectors + v])
                builder.store(total, at, align=4)
            address = builder.gep(address, [args[3]])
        return context.get_dummy_value()

    return types.void(acc, array, types.intp, types.intp), codegen


@intrinsic
def row_offsets(typingctx, order, start, stride, lanes):
    """order[start + r] * stride for each row r of the block: where the samples of a block begin."""
    if not (isinstance(lanes, LanesType) and is_array(order, types.int64)):
        return None
    result = types.UniTuple(types.intp, lanes.rows)

    def codegen(context, builder, signature, args):
        address = address_of(context, builder, signature.args[0], args[0], args[1])
        offsets = [builder.mul(builder.load(builder.gep(address, [INT32(r)])), args[2]) for r in range(lanes.rows)]
        return context.make_tuple(builder, result, offsets)

    return result(order, types.intp, types.intp, lanes), codegen


@intrinsic
def rank1_rows(typingctx, acc, X, offsets, k, row):
    """acc[r] + X[offsets[r] + k] * row for each row r of the block: a rank-1 update by rows anywhere in X."""
    if not (is_array(X) and _is_block_of(acc, row)):
        return None

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[1])(context, builder, args[1]).data
        scalars = [
            load_scalar(
                builder,
                builder.gep(builder.gep(data, [builder.extract_value(args[2], r)]), [args[3]]),
            )
            for r in range(acc.rows)
        ]
        return _rank1(builder, acc, args[0], scalars, args[4])

    return acc(acc, X, offsets, types.intp, row), codegen


@intrinsic
def dots(typingctx, rows, at, columns, offset, lanes):
    """Dot products of four rows of this width with the next rows of `columns`, as one vector: four for each of these.

    rows[at + r * units : ...] and columns[offset + g * units : ...]: lane 4 g + r is the product of rows r and g. There
    are as many g as fill the vector.
    """
    if not (is_array(rows) and is_array(columns) and isinstance(lanes, LanesType) and lanes.rows == 1):
        return None
    result = TileType(1, 1)

    def codegen(context, builder, signature, args):
        vec, n = vector_of(result), lanes.vectors
        ours = address_of(context, builder, signature.args[0], args[0], args[1])
        theirs = address_of(context, builder, signature.args[2], args[2], args[3])
        sums = [constant(vec, 0.0)] * vec.count
        for v in range(n):
            four = [builder.load(vector_at(builder, ours, vec, r * n + v), align=4, typ=vec) for r in range(4)]
            for g in range(vec.count // 4):
                column = builder.load(vector_at(builder, theirs, vec, g * n + v), align=4, typ=vec)
                for r in range(4):
                    sums[4 * g + r] = fused_multiply_add(builder, four[r], column, sums[4 * g + r])
        # Lane j of the result is the sum over all lanes of vector j. A step adds lanes j and j ^ k of two vectors: the
        # first's sums go where bit k of j is clear, the second's where it is set.
        k, w = 1, vec.count
        while k < w:
            mixed = []
            for x, y in zip(sums[::2], sums[1::2], strict=True):
                kept = shuffle(builder, x, y, [j + w if j & k else j for j in range(w)])
                other = shuffle(builder, y, x, [j + w if j & k else j for j in range(w)])
                mixed.append(builder.fadd(kept, shuffle(builder, other, other, [j ^ k for j in range(w)])))
            sums, k = mixed, 2 * k
        return tile_of(builder, sums)

    return result(rows, types.intp, columns, types.intp, lanes), codegen


@intrinsic
def store_fours(typingctx, tile, array, offset, stride):
    """Write each four lanes of a vector to consecutive elements from offset + g * stride."""
    if not (isinstance(tile, TileType) and tile.rows * tile.vectors == 1 and is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        (v,) = vectors_of(builder, args[0])
        address = address_of(context, builder, signature.args[1], args[1], args[2])
        for g in range(0, v.type.count, 4):
            four = shuffle(builder, v, v, list(range(g, g + 4)))
            builder.store(four, builder.bitcast(address, four.type.as_pointer()), align=4)
            address = builder.gep(address, [args[3]])
        return context.get_dummy_value()

    return types.void(tile, array, types.intp, types.intp), codegen


@intrinsic
def prefetch(typingctx, array, first, last):
    """Ask for the cache lines of the elements from `first` to `last`; any are allowed, nothing is read."""
    if not isinstance(array, types.Array):
        return None

    def codegen(context, builder, signature, args):
        array_type, intp = signature.args[0], context.get_value_type(types.intp)
        size = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
        line = ir.Constant(intp, _LINE_BYTES // size)
        byte = ir.IntType(8).as_pointer()
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, INT32, INT32, INT32]), "llvm.prefetch.p0"
        )
        with cgutils.for_range_slice(builder, args[1], args[2], line, intp) as (k, _):
            address = builder.bitcast(address_of(context, builder, array_type, args[0], k), byte)
            builder.call(function, [address, INT32(0), INT32(3), INT32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), codegen
