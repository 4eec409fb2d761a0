"""Operations lane by lane on a register tile: arithmetic, choices, ReLU, exp and log; and the sum over the lanes."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .tiles import (
    INT32,
    TileType,
    address_of,
    constant,
    fused_multiply_add,
    is_array,
    larger_of,
    load_vectors,
    shuffle,
    splat,
    tile_of,
    vector_of,
    vectors_of,
)

__all__ = [
    "add",
    "divide",
    "exp",
    "first_lanes",
    "log",
    "masked",
    "maximum",
    "multiply",
    "relu",
    "sqrt",
    "subtract",
    "tile_sum",
    "where_equal",
    "where_greater",
    "without_subnormals",
]


@intrinsic
def relu(typingctx, tile):
    """max(0, tile) lane by lane; NaN stays NaN, so that divergence is seen."""
    if not isinstance(tile, TileType):
        return None

    def codegen(context, builder, signature, args):
        zero = constant(vector_of(tile), 0.0)
        return tile_of(builder, [larger_of(builder, zero, v) for v in vectors_of(builder, args[0])])

    return tile(tile), codegen


@intrinsic
def masked(typingctx, tile, array, offset):
    """Tile where the consecutive elements of `array` from `offset` are above 0, else 0: ReLU's derivative."""
    if not (isinstance(tile, TileType) and is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        vec = vector_of(tile)
        zero = constant(vec, 0.0)
        address = address_of(context, builder, signature.args[1], args[1], args[2])
        hidden = load_vectors(builder, address, vec, tile.rows * tile.vectors)
        return tile_of(
            builder,
            [
                builder.select(builder.fcmp_ordered(">", h, zero), d, zero)
                for h, d in zip(hidden, vectors_of(builder, args[0]), strict=True)
            ],
        )

    return tile(tile, array, types.intp), codegen


def _lanewise(name: str, operation: Any, doc: str) -> Any:
    def typing(typingctx, a, b):
        if not (isinstance(a, TileType) and a == b):
            return None

        def codegen(context, builder, signature, args):
            lanes = zip(vectors_of(builder, args[0]), vectors_of(builder, args[1]), strict=True)
            return tile_of(builder, [operation(builder, x, y) for x, y in lanes])

        return a(a, b), codegen

    typing.__name__ = name
    typing.__doc__ = doc
    return intrinsic(typing)


add = _lanewise("add", lambda builder, x, y: builder.fadd(x, y), "a + b, lane by lane.")
subtract = _lanewise("subtract", lambda builder, x, y: builder.fsub(x, y), "a - b, lane by lane.")
multiply = _lanewise("multiply", lambda builder, x, y: builder.fmul(x, y), "a * b, lane by lane.")
divide = _lanewise("divide", lambda builder, x, y: builder.fdiv(x, y), "a / b, lane by lane.")
maximum = _lanewise("maximum", larger_of, "The larger of two tiles, lane by lane; b where either is NaN.")


@intrinsic
def sqrt(typingctx, tile):
    """Square roots, lane by lane, rounded once."""
    if not isinstance(tile, TileType):
        return None

    def codegen(context, builder, signature, args):
        vec = vector_of(tile)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vec, [vec]), f"llvm.sqrt.v{vec.count}f32"
        )
        return tile_of(builder, [builder.call(function, [v]) for v in vectors_of(builder, args[0])])

    return tile(tile), codegen


@intrinsic
def without_subnormals(typingctx, tile):
    """Tile with 0 for what is smaller than 2^-126, with which some processors take a hundred times as long."""
    if not isinstance(tile, TileType):
        return None

    def codegen(context, builder, signature, args):
        vec = vector_of(tile)
        size_of = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vec, [vec]), f"llvm.fabs.v{vec.count}f32"
        )
        zero, least = constant(vec, 0.0), constant(vec, 2.0**-126)
        return tile_of(
            builder,
            [
                builder.select(builder.fcmp_ordered("<", builder.call(size_of, [v]), least), zero, v)
                for v in vectors_of(builder, args[0])
            ],
        )

    return tile(tile), codegen


def _choice(name: str, comparison: str, doc: str) -> Any:
    def typing(typingctx, a, b, yes, no):
        if not (isinstance(a, TileType) and a == b == yes == no):
            return None

        def codegen(context, builder, signature, args):
            lanes = zip(*(vectors_of(builder, tile) for tile in args), strict=True)
            return tile_of(
                builder, [builder.select(builder.fcmp_ordered(comparison, w, x), y, z) for w, x, y, z in lanes]
            )

        return a(a, b, yes, no), codegen

    typing.__name__ = name
    typing.__doc__ = doc
    return intrinsic(typing)


where_greater = _choice("where_greater", ">", "yes where a > b, else no, lane by lane; no where either is NaN.")
where_equal = _choice("where_equal", "==", "yes where a == b, else no, lane by lane; no where either is NaN.")


@intrinsic
def first_lanes(typingctx, tile, count, fill):
    """A one-vector tile whose lanes from `count` on are `fill`, whatever they held."""
    if not (isinstance(tile, TileType) and tile.rows * tile.vectors == 1):
        return None

    def codegen(context, builder, signature, args):
        vec = vector_of(tile)
        ints = ir.VectorType(INT32, vec.count)
        count = builder.trunc(args[1], INT32)
        limit = builder.insert_element(ir.Constant(ints, ir.Undefined), count, INT32(0))
        limit = shuffle(builder, limit, limit, [0] * vec.count)
        inside = builder.icmp_signed("<", ir.Constant(ints, list(range(vec.count))), limit)
        (v,) = vectors_of(builder, args[0])
        return tile_of(builder, [builder.select(inside, v, splat(builder, vec, args[2]))])

    return tile(tile, types.intp, types.float32), codegen


# Range reduction and minimax polynomial of Cephes' expf (Moshier 1992): relative error below 2e-7.
_LOG2E = 1.44269504088896341
_LN2_HIGH = 0.693359375
_LN2_LOW = -2.12194440e-4
_EXP_POLYNOMIAL = (
    1.9875691500e-4,
    1.3981999507e-3,
    8.3334519073e-3,
    4.1665795894e-2,
    1.6666665459e-1,
    5.0000001201e-1,
)
# Cephes' logf (Moshier 1992): ln(1 + r) - r + r^2/2 = r^3 times this, for sqrt(1/2) <= 1 + r < sqrt(2).
_LOG_POLYNOMIAL = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_SQRT_HALF_BITS = 0x3F3504F3  # of sqrt(1/2) in float32
_EXP_SMALLEST = -87.33654  # below it exp is under the smallest normal float32 and becomes 0
_ROUND_TO_INTEGER = 12582912.0  # 1.5 * 2**23: adding it leaves the nearest integer in the low bits


@intrinsic
def exp(typingctx, tile):
    """e^x lane by lane for x <= 0; 0 where that is below the normal float32, NaN stays NaN.

    e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln(2)/2, the second factor by a polynomial.
    """
    if not isinstance(tile, TileType):
        return None

    def codegen(context, builder, signature, args):
        vec = vector_of(tile)
        ints = ir.VectorType(INT32, vec.count)
        magic = constant(vec, _ROUND_TO_INTEGER)
        smallest = constant(vec, _EXP_SMALLEST)

        def one(x):
            vanishes = builder.fcmp_ordered("<", x, smallest)
            x = builder.select(vanishes, smallest, x)
            rounded = builder.fadd(builder.fmul(x, constant(vec, _LOG2E)), magic)
            n = builder.fsub(rounded, magic)
            r = fused_multiply_add(builder, n, constant(vec, -_LN2_HIGH), x)
            r = fused_multiply_add(builder, n, constant(vec, -_LN2_LOW), r)
            p = _polynomial(builder, r, _EXP_POLYNOMIAL)
            p = builder.fadd(fused_multiply_add(builder, p, builder.fmul(r, r), r), constant(vec, 1.0))
            exponent = builder.shl(builder.bitcast(rounded, ints), ir.Constant(ints, [23] * vec.count))
            bits = builder.add(exponent, ir.Constant(ints, [0x3F800000] * vec.count))
            y = builder.fmul(p, builder.bitcast(bits, vec))
            return builder.select(vanishes, constant(vec, 0.0), y)

        return tile_of(builder, [one(v) for v in vectors_of(builder, args[0])])

    return tile(tile), codegen


@intrinsic
def log(typingctx, tile):
    """ln x lane by lane for normal float32 x > 0; NaN stays NaN and infinity becomes NaN or stays.

    x = 2^n m with sqrt(1/2) <= m < sqrt(2); ln x = n ln 2 + ln m, the second term by a polynomial in m - 1.
    """
    if not isinstance(tile, TileType):
        return None

    def codegen(context, builder, signature, args):
        vec = vector_of(tile)
        ints = ir.VectorType(INT32, vec.count)

        def whole(value):
            return ir.Constant(ints, [value] * vec.count)

        def one(x):
            bits = builder.bitcast(x, ints)
            # The exponent of x / sqrt(1/2), so that m, which takes the rest, begins at sqrt(1/2).
            above = builder.sub(bits, whole(_SQRT_HALF_BITS))
            exponent = builder.ashr(above, whole(23))
            mantissa = builder.sub(bits, builder.shl(exponent, whole(23)))
            n = builder.sitofp(exponent, vec)
            r = builder.fsub(builder.bitcast(mantissa, vec), constant(vec, 1.0))
            square = builder.fmul(r, r)
            y = builder.fmul(builder.fmul(_polynomial(builder, r, _LOG_POLYNOMIAL), r), square)
            y = fused_multiply_add(builder, n, constant(vec, _LN2_LOW), y)
            y = fused_multiply_add(builder, square, constant(vec, -0.5), y)
            y = fused_multiply_add(builder, n, constant(vec, _LN2_HIGH), builder.fadd(r, y))
            return builder.select(builder.fcmp_ordered("<", x, constant(vec, float("inf"))), y, x)

        return tile_of(builder, [one(v) for v in vectors_of(builder, args[0])])

    return tile(tile), codegen


def _polynomial(builder: Any, x: Any, coefficients: tuple[float, ...]) -> Any:
    """The polynomial in x with these coefficients, the highest power's first (Horner)."""
    p = constant(x.type, coefficients[0])
    for coefficient in coefficients[1:]:
        p = fused_multiply_add(builder, p, x, constant(x.type, coefficient))
    return p


def _reduction(name: str, combine: Any, doc: str) -> Any:
    def typing(typingctx, tile):
        if not isinstance(tile, TileType):
            return None

        def codegen(context, builder, signature, args):
            acc, *rest = vectors_of(builder, args[0])
            for v in rest:
                acc = combine(builder, acc, v)
            lanes = tile.width
            while lanes > 1:  # a fixed tree: upper half onto lower half
                lanes //= 2
                upper = shuffle(builder, acc, acc, list(range(lanes, 2 * lanes)))
                lower = shuffle(builder, acc, acc, list(range(lanes)))
                acc = combine(builder, lower, upper)
            return builder.extract_element(acc, INT32(0))

        return types.float32(tile), codegen

    typing.__name__ = name
    typing.__doc__ = doc
    return intrinsic(typing)


tile_sum = _reduction("tile_sum", lambda b, x, y: b.fadd(x, y), "Sum over all lanes.")
