"""The register tile: the one file that knows LLVM.

A `Tile` is a block of `rows` x `vectors` SIMD vectors of float32 that LLVM keeps in registers. With the operations
below a kernel reads as mathematics:

    acc = load(b1, 0, lanes)                            # units(lanes) biases
    for k in range(start, stop):                        # the nonzeros of one sample
        acc = axpy(acc, values[k], load(W1, columns[k] * units(lanes), lanes))
    store(relu(acc), hidden, 0)

`Lanes(vectors)` is the tag that carries the tile's width into a kernel as a type, so that the kernels stand at module
level and Numba's disk cache works (a kernel made in a closure would miss it in every process). Offsets count float32
elements from the start of a C-contiguous array; nothing is checked, as in any array access of a kernel.

No operation carries a fast-math flag: each sum runs in the order in which it is written.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import (
    NativeValue,
    intrinsic,
    models,
    register_model,
    typeof_impl,
    unbox,
)

from .compiled import SOURCE_DIGEST

__all__ = [
    "Lanes",
    "Target",
    "add",
    "add_rows",
    "axpy",
    "axpy_rows",
    "block",
    "block_rows",
    "broadcast",
    "divide",
    "dots",
    "element",
    "exp",
    "first_lanes",
    "first_pass",
    "interleaved",
    "last_strip",
    "load",
    "load_rows",
    "log",
    "masked",
    "maximum",
    "multiply",
    "prefetch",
    "rank1",
    "rank1_rows",
    "relu",
    "repeat_rows",
    "row_offsets",
    "row_pair",
    "second_pass",
    "store",
    "store_fours",
    "store_rows",
    "strip",
    "subtract",
    "target",
    "tile_sum",
    "units",
    "vector",
    "where_equal",
    "where_greater",
]

_FLOAT = ir.FloatType()
_INT32 = ir.IntType(32)
_LINE_BYTES = 64  # of a cache


# --- The machine ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """What Numba compiles for: CPU name, float32 lanes of one vector, vector registers, fused multiply-add or not."""

    cpu: str
    width: int
    registers: int
    fused: bool

    @property
    def max_vectors(self) -> int:
        """Widest tile, in vectors, of which a row and a scalar fit the registers."""
        return 12

    def pass_vectors(self, vectors: int) -> tuple[int, int]:
        """Into how many vectors each to cut a tile, so that the sums of two rows and one row fit the registers."""
        if 2 * vectors + 3 <= self.registers:
            return vectors, 1
        return -(-vectors // 2), vectors // 2

    def strip_vectors(self, vectors: int) -> int:
        """Vectors of a strip: a block of six rows of it fills the registers."""
        return min(vectors, 4 if self.registers >= 32 else 2)

    def block_rows(self, vectors: int) -> int:
        """Rows of a register block: accumulators, one row of vectors and one broadcast must fit the registers."""
        return max(1, min(8, (self.registers - 1 - vectors) // vectors))


@functools.cache
def target() -> Target:
    """Ask LLVM itself: compile one 16-lane multiply-add for Numba's target and look at the registers it uses.

    Numba's choice counts (NUMBA_CPU_NAME and NUMBA_CPU_FEATURES included), and no table of CPU features is needed.
    """
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    module = ir.Module()
    module.triple = triple
    vec = ir.VectorType(_FLOAT, 16)
    fma = ir.Function(module, ir.FunctionType(vec, [vec] * 3), "llvm.fma.v16f32")
    probe = ir.Function(module, ir.FunctionType(vec, [vec] * 3), "probe")
    builder = ir.IRBuilder(probe.append_basic_block())
    builder.ret(builder.call(fma, probe.args))
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features)
    assembly = machine.emit_assembly(llvm.parse_assembly(str(module)))
    fused = "vfmadd" in assembly or "fmla" in assembly or "fmadd" in assembly
    if "zmm" in assembly:
        return Target(cpu, 16, 32, fused)
    if "ymm" in assembly:
        return Target(cpu, 8, 16, fused)
    return Target(cpu, 4, 32 if triple.startswith(("aarch64", "arm64")) else 16, fused)


# --- The tag and the tile as Numba types ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lanes:
    """Tag of a tile `vectors` SIMD vectors wide; pass it to a kernel to choose the kernel's tile.

    >>> Lanes(2).units == 2 * target().width
    True
    """

    vectors: int

    @property
    def units(self) -> int:
        """Hidden units of the tile: `vectors` times the float32 lanes of one vector."""
        return self.vectors * target().width


class LanesType(types.Type):
    """Numba type of a tag: rows and vectors of the tile, lanes of a vector, and the digest of all kernel files."""

    def __init__(self, rows: int, vectors: int) -> None:
        self.rows = rows
        self.vectors = vectors
        self.width = target().width
        super().__init__(name=f"Lanes({rows}x{vectors}x{self.width}, {SOURCE_DIGEST})")


class TileType(types.Type):
    """Numba type of a tile: an LLVM array of rows * vectors vectors of `width` float32."""

    def __init__(self, rows: int, vectors: int) -> None:
        self.rows = rows
        self.vectors = vectors
        self.width = target().width
        super().__init__(name=f"Tile({rows}x{vectors}x{self.width})")


@register_model(LanesType)
class _LanesModel(models.OpaqueModel):
    pass


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: TileType) -> None:
        vec = ir.VectorType(_FLOAT, fe_type.width)
        super().__init__(dmm, fe_type, ir.ArrayType(vec, fe_type.rows * fe_type.vectors))


@typeof_impl.register(Lanes)
def _typeof_lanes(value: Lanes, context: Any) -> LanesType:
    return LanesType(1, value.vectors)


@unbox(LanesType)
def _unbox_lanes(typ: LanesType, obj: Any, c: Any) -> NativeValue:
    return NativeValue(c.context.get_dummy_value())


# --- Helpers that write LLVM instructions -----------------------------------------------------------------------------


def _vec(typ: Any) -> ir.VectorType:
    return ir.VectorType(_FLOAT, typ.width)


def _address(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    """Pointer to element `offset` of an array, counted from its start."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [offset])


def _vector_at(builder: Any, address: Any, vec: Any, index: int) -> Any:
    """Pointer to the vector `index` vectors after `address`."""
    return builder.gep(builder.bitcast(address, vec.as_pointer()), [_INT32(index)])


def _load_scalar(builder: Any, address: Any, index: int = 0) -> Any:
    return builder.load(builder.gep(address, [_INT32(index)]), align=4, typ=_FLOAT)


def _load_vectors(builder: Any, address: Any, vec: Any, count: int) -> list[Any]:
    return [builder.load(_vector_at(builder, address, vec, v), align=4, typ=vec) for v in range(count)]


def _splat(builder: Any, vec: Any, scalar: Any) -> Any:
    one = builder.insert_element(ir.Constant(vec, ir.Undefined), scalar, _INT32(0))
    mask = ir.Constant(ir.VectorType(_INT32, vec.count), [0] * vec.count)
    return builder.shuffle_vector(one, one, mask)


def _constant(vec: Any, value: float) -> Any:
    return ir.Constant(vec, [ir.Constant(_FLOAT, value)] * vec.count)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c on vectors, rounded once where the machine can."""
    if not target().fused:
        return builder.fadd(builder.fmul(a, b), c)
    vec = a.type
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vec, [vec] * 3), f"llvm.fma.v{vec.count}f32"
    )
    return builder.call(function, [a, b, c])


def _shuffle(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT32, len(lanes)), lanes))


def _vectors(builder: Any, tile: Any) -> list[Any]:
    return [builder.extract_value(tile, v) for v in range(tile.type.count)]


def _tile(builder: Any, vectors: list[Any]) -> Any:
    tile = ir.Constant(ir.ArrayType(vectors[0].type, len(vectors)), ir.Undefined)
    for v, vector_ in enumerate(vectors):
        tile = builder.insert_value(tile, vector_, v)
    return tile


def _is_array(typ: Any, dtype: Any = types.float32) -> bool:
    return isinstance(typ, types.Array) and typ.layout == "C" and typ.dtype == dtype


def _maximum(builder: Any, a: Any, b: Any) -> Any:
    """Lane by lane `a if a > b else b`: b where either is NaN (one instruction on x86)."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


# --- Tags and constants -----------------------------------------------------------------------------------------------


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
def block_rows(typingctx, lanes):
    """Rows of the register block of this width, a compile-time constant."""
    if not isinstance(lanes, LanesType):
        return None
    value = target().block_rows(lanes.vectors)

    def codegen(context, builder, signature, args):
        return context.get_constant(types.intp, value)

    return types.intp(lanes), codegen


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
    lambda lanes: LanesType(1, lanes.vectors % target().strip_vectors(lanes.vectors) or 1),
    "Tag of what whole strips leave of a tile.",
)


@intrinsic
def interleaved(typingctx, lanes, sums):
    """Whether a tile is so narrow that two rows with `sums` sums each are worth taking in turns, a constant.

    A multiply-add takes four cycles and two can start in each: with fewer than eight sums under way they wait.
    """
    if not (isinstance(lanes, LanesType) and isinstance(sums, types.IntegerLiteral)):
        return None
    value = int(2 * sums.literal_value * lanes.vectors <= target().registers - 6)

    def codegen(context, builder, signature, args):
        return context.get_constant(types.boolean, value)

    return types.boolean(lanes, sums), codegen


@intrinsic
def element(typingctx, array, index):
    """array[index], a whole number as intp; unlike in Python, no index counts from the end, so none is looked at."""
    if not (isinstance(array, types.Array) and array.layout == "C"):
        return None
    result = array.dtype if array.dtype == types.float32 else types.intp

    def codegen(context, builder, signature, args):
        value = builder.load(_address(context, builder, signature.args[0], args[0], args[1]))
        return value if result == types.float32 else builder.zext(value, context.get_value_type(types.intp))

    return result(array, types.intp), codegen


# --- Tile operations --------------------------------------------------------------------------------------------------


@intrinsic
def load(typingctx, array, offset, lanes):
    """Tile of the consecutive elements from `offset`."""
    if not (_is_array(array) and isinstance(lanes, LanesType)):
        return None
    tile = TileType(lanes.rows, lanes.vectors)

    def codegen(context, builder, signature, args):
        address = _address(context, builder, signature.args[0], args[0], args[1])
        return _tile(builder, _load_vectors(builder, address, _vec(tile), tile.rows * tile.vectors))

    return tile(array, types.intp, lanes), codegen


@intrinsic
def broadcast(typingctx, value, lanes):
    """Tile with `value` in every lane."""
    if not isinstance(lanes, LanesType):
        return None
    tile = TileType(lanes.rows, lanes.vectors)

    def codegen(context, builder, signature, args):
        return _tile(builder, [_splat(builder, _vec(tile), args[0])] * (tile.rows * tile.vectors))

    return tile(types.float32, lanes), codegen


@intrinsic
def repeat_rows(typingctx, tile, lanes):
    """Tile whose rows are all copies of a one-row tile."""
    if not (isinstance(tile, TileType) and tile.rows == 1 and isinstance(lanes, LanesType)):
        return None
    result = TileType(lanes.rows, tile.vectors)

    def codegen(context, builder, signature, args):
        return _tile(builder, _vectors(builder, args[0]) * result.rows)

    return result(tile, lanes), codegen


@intrinsic
def store(typingctx, tile, array, offset):
    """Write the tile to consecutive elements from `offset`."""
    if not (isinstance(tile, TileType) and _is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        vec = _vec(tile)
        address = _address(context, builder, signature.args[1], args[1], args[2])
        for v, vector_ in enumerate(_vectors(builder, args[0])):
            builder.store(vector_, _vector_at(builder, address, vec, v), align=4)
        return context.get_dummy_value()

    return types.void(tile, array, types.intp), codegen


@intrinsic
def axpy(typingctx, acc, x, row):
    """acc + x * row: a scalar times a tile, added to a tile, rounded once."""
    if not (isinstance(acc, TileType) and acc == row):
        return None

    def codegen(context, builder, signature, args):
        x_vec = _splat(builder, _vec(acc), args[1])
        pairs = zip(_vectors(builder, args[0]), _vectors(builder, args[2]), strict=True)
        return _tile(builder, [_fma(builder, x_vec, w, a) for a, w in pairs])

    return acc(acc, types.float32, row), codegen


def _rank1(builder: Any, acc: TileType, tile: Any, factors: list[Any], row: Any) -> Any:
    """Block + outer product of `factors` (one per row of the block) and a one-row tile."""
    vectors = _vectors(builder, tile)
    for r, factor in enumerate(factors):
        factor_vec = _splat(builder, _vec(acc), factor)
        for v, w in enumerate(_vectors(builder, row)):
            at = r * acc.vectors + v
            vectors[at] = _fma(builder, factor_vec, w, vectors[at])
    return _tile(builder, vectors)


def _is_block_of(acc: Any, row: Any) -> bool:
    return isinstance(acc, TileType) and isinstance(row, TileType) and row.rows == 1 and acc.vectors == row.vectors


@intrinsic
def rank1(typingctx, acc, factors, start, stride, row):
    """acc[r] + factors[start + r * stride] * row for each row r of the block: a rank-1 update."""
    if not (_is_array(factors) and _is_block_of(acc, row)):
        return None

    def codegen(context, builder, signature, args):
        address = _address(context, builder, signature.args[1], args[1], args[2])
        scalars = []
        for _ in range(acc.rows):
            scalars.append(_load_scalar(builder, address))
            address = builder.gep(address, [args[3]])
        return _rank1(builder, acc, args[0], scalars, args[4])

    return acc(acc, factors, types.intp, types.intp, row), codegen


@intrinsic
def load_rows(typingctx, array, offset, stride, lanes):
    """Tile whose row r has the consecutive elements from offset + r * stride on."""
    if not (_is_array(array) and isinstance(lanes, LanesType)):
        return None
    tile = TileType(lanes.rows, lanes.vectors)

    def codegen(context, builder, signature, args):
        address = _address(context, builder, signature.args[0], args[0], args[1])
        vectors = []
        for _ in range(tile.rows):
            vectors += _load_vectors(builder, address, _vec(tile), tile.vectors)
            address = builder.gep(address, [args[2]])
        return _tile(builder, vectors)

    return tile(array, types.intp, types.intp, lanes), codegen


@intrinsic
def store_rows(typingctx, tile, array, offset, stride):
    """Write row r of the tile to the consecutive elements from offset + r * stride on."""
    if not (isinstance(tile, TileType) and _is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        vec, vectors = _vec(tile), _vectors(builder, args[0])
        address = _address(context, builder, signature.args[1], args[1], args[2])
        for r in range(tile.rows):
            for v in range(tile.vectors):
                builder.store(vectors[r * tile.vectors + v], _vector_at(builder, address, vec, v), align=4)
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
    if not (isinstance(acc, TileType) and _is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        vec, vectors = _vec(acc), _vectors(builder, args[0])
        address = _address(context, builder, signature.args[1], args[1], args[2])
        for r in range(acc.rows):
            for v in range(acc.vectors):
                at = _vector_at(builder, address, vec, v)
                total = builder.fadd(builder.load(at, align=4, typ=vec), vectors[r * acc.vectors + v])
                builder.store(total, at, align=4)
            address = builder.gep(address, [args[3]])
        return context.get_dummy_value()

    return types.void(acc, array, types.intp, types.intp), codegen


@intrinsic
def row_offsets(typingctx, order, start, stride, lanes):
    """order[start + r] * stride for each row r of the block: where the samples of a block begin."""
    if not (isinstance(lanes, LanesType) and _is_array(order, types.int64)):
        return None
    result = types.UniTuple(types.intp, lanes.rows)

    def codegen(context, builder, signature, args):
        address = _address(context, builder, signature.args[0], args[0], args[1])
        offsets = [builder.mul(builder.load(builder.gep(address, [_INT32(r)])), args[2]) for r in range(lanes.rows)]
        return context.make_tuple(builder, result, offsets)

    return result(order, types.intp, types.intp, lanes), codegen


@intrinsic
def rank1_rows(typingctx, acc, X, offsets, k, row):
    """acc[r] + X[offsets[r] + k] * row for each row r of the block: a rank-1 update by rows anywhere in X."""
    if not (_is_array(X) and _is_block_of(acc, row)):
        return None

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[1])(context, builder, args[1]).data
        scalars = [
            _load_scalar(
                builder,
                builder.gep(builder.gep(data, [builder.extract_value(args[2], r)]), [args[3]]),
            )
            for r in range(acc.rows)
        ]
        return _rank1(builder, acc, args[0], scalars, args[4])

    return acc(acc, X, offsets, types.intp, row), codegen


@intrinsic
def relu(typingctx, tile):
    """max(0, tile) lane by lane; NaN stays NaN, so that divergence is seen."""
    if not isinstance(tile, TileType):
        return None

    def codegen(context, builder, signature, args):
        zero = _constant(_vec(tile), 0.0)
        return _tile(builder, [_maximum(builder, zero, v) for v in _vectors(builder, args[0])])

    return tile(tile), codegen


@intrinsic
def masked(typingctx, tile, array, offset):
    """Tile where the consecutive elements of `array` from `offset` are above 0, else 0: ReLU's derivative."""
    if not (isinstance(tile, TileType) and _is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        vec = _vec(tile)
        zero = _constant(vec, 0.0)
        address = _address(context, builder, signature.args[1], args[1], args[2])
        hidden = _load_vectors(builder, address, vec, tile.rows * tile.vectors)
        return _tile(
            builder,
            [
                builder.select(builder.fcmp_ordered(">", h, zero), d, zero)
                for h, d in zip(hidden, _vectors(builder, args[0]), strict=True)
            ],
        )

    return tile(tile, array, types.intp), codegen


def _lanewise(name: str, operation: Any, doc: str) -> Any:
    def typing(typingctx, a, b):
        if not (isinstance(a, TileType) and a == b):
            return None

        def codegen(context, builder, signature, args):
            lanes = zip(_vectors(builder, args[0]), _vectors(builder, args[1]), strict=True)
            return _tile(builder, [operation(builder, x, y) for x, y in lanes])

        return a(a, b), codegen

    typing.__name__ = name
    typing.__doc__ = doc
    return intrinsic(typing)


add = _lanewise("add", lambda builder, x, y: builder.fadd(x, y), "a + b, lane by lane.")
subtract = _lanewise("subtract", lambda builder, x, y: builder.fsub(x, y), "a - b, lane by lane.")
multiply = _lanewise("multiply", lambda builder, x, y: builder.fmul(x, y), "a * b, lane by lane.")
divide = _lanewise("divide", lambda builder, x, y: builder.fdiv(x, y), "a / b, lane by lane.")
maximum = _lanewise("maximum", _maximum, "The larger of two tiles, lane by lane; b where either is NaN.")


def _choice(name: str, comparison: str, doc: str) -> Any:
    def typing(typingctx, a, b, yes, no):
        if not (isinstance(a, TileType) and a == b == yes == no):
            return None

        def codegen(context, builder, signature, args):
            lanes = zip(*(_vectors(builder, tile) for tile in args), strict=True)
            return _tile(
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
        vec = _vec(tile)
        ints = ir.VectorType(_INT32, vec.count)
        count = builder.trunc(args[1], _INT32)
        limit = builder.insert_element(ir.Constant(ints, ir.Undefined), count, _INT32(0))
        limit = _shuffle(builder, limit, limit, [0] * vec.count)
        inside = builder.icmp_signed("<", ir.Constant(ints, list(range(vec.count))), limit)
        (v,) = _vectors(builder, args[0])
        return _tile(builder, [builder.select(inside, v, _splat(builder, vec, args[2]))])

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
        vec = _vec(tile)
        ints = ir.VectorType(_INT32, vec.count)
        magic = _constant(vec, _ROUND_TO_INTEGER)
        smallest = _constant(vec, _EXP_SMALLEST)

        def one(x):
            vanishes = builder.fcmp_ordered("<", x, smallest)
            x = builder.select(vanishes, smallest, x)
            rounded = builder.fadd(builder.fmul(x, _constant(vec, _LOG2E)), magic)
            n = builder.fsub(rounded, magic)
            r = _fma(builder, n, _constant(vec, -_LN2_HIGH), x)
            r = _fma(builder, n, _constant(vec, -_LN2_LOW), r)
            p = _polynomial(builder, r, _EXP_POLYNOMIAL)
            p = builder.fadd(_fma(builder, p, builder.fmul(r, r), r), _constant(vec, 1.0))
            exponent = builder.shl(builder.bitcast(rounded, ints), ir.Constant(ints, [23] * vec.count))
            bits = builder.add(exponent, ir.Constant(ints, [0x3F800000] * vec.count))
            y = builder.fmul(p, builder.bitcast(bits, vec))
            return builder.select(vanishes, _constant(vec, 0.0), y)

        return _tile(builder, [one(v) for v in _vectors(builder, args[0])])

    return tile(tile), codegen


@intrinsic
def log(typingctx, tile):
    """ln x lane by lane for normal float32 x > 0; NaN stays NaN and infinity becomes NaN or stays.

    x = 2^n m with sqrt(1/2) <= m < sqrt(2); ln x = n ln 2 + ln m, the second term by a polynomial in m - 1.
    """
    if not isinstance(tile, TileType):
        return None

    def codegen(context, builder, signature, args):
        vec = _vec(tile)
        ints = ir.VectorType(_INT32, vec.count)

        def whole(value):
            return ir.Constant(ints, [value] * vec.count)

        def one(x):
            bits = builder.bitcast(x, ints)
            # The exponent of x / sqrt(1/2), so that m, which takes the rest, begins at sqrt(1/2).
            above = builder.sub(bits, whole(_SQRT_HALF_BITS))
            exponent = builder.ashr(above, whole(23))
            mantissa = builder.sub(bits, builder.shl(exponent, whole(23)))
            n = builder.sitofp(exponent, vec)
            r = builder.fsub(builder.bitcast(mantissa, vec), _constant(vec, 1.0))
            square = builder.fmul(r, r)
            y = builder.fmul(builder.fmul(_polynomial(builder, r, _LOG_POLYNOMIAL), r), square)
            y = _fma(builder, n, _constant(vec, _LN2_LOW), y)
            y = _fma(builder, square, _constant(vec, -0.5), y)
            y = _fma(builder, n, _constant(vec, _LN2_HIGH), builder.fadd(r, y))
            return builder.select(builder.fcmp_ordered("<", x, _constant(vec, float("inf"))), y, x)

        return _tile(builder, [one(v) for v in _vectors(builder, args[0])])

    return tile(tile), codegen


def _polynomial(builder: Any, x: Any, coefficients: tuple[float, ...]) -> Any:
    """The polynomial in x with these coefficients, the highest power's first (Horner)."""
    p = _constant(x.type, coefficients[0])
    for coefficient in coefficients[1:]:
        p = _fma(builder, p, x, _constant(x.type, coefficient))
    return p


def _reduction(name: str, combine: Any, doc: str) -> Any:
    def typing(typingctx, tile):
        if not isinstance(tile, TileType):
            return None

        def codegen(context, builder, signature, args):
            acc, *rest = _vectors(builder, args[0])
            for v in rest:
                acc = combine(builder, acc, v)
            lanes = tile.width
            while lanes > 1:  # a fixed tree: upper half onto lower half
                lanes //= 2
                upper = _shuffle(builder, acc, acc, list(range(lanes, 2 * lanes)))
                lower = _shuffle(builder, acc, acc, list(range(lanes)))
                acc = combine(builder, lower, upper)
            return builder.extract_element(acc, _INT32(0))

        return types.float32(tile), codegen

    typing.__name__ = name
    typing.__doc__ = doc
    return intrinsic(typing)


tile_sum = _reduction("tile_sum", lambda b, x, y: b.fadd(x, y), "Sum over all lanes.")


@intrinsic
def dots(typingctx, rows, at, columns, offset, lanes):
    """Dot products of four rows of this width with the next rows of `columns`, as one vector: four for each of these.

    rows[at + r * units : ...] and columns[offset + g * units : ...]: lane 4 g + r is the product of rows r and g. There
    are as many g as fill the vector.
    """
    if not (_is_array(rows) and _is_array(columns) and isinstance(lanes, LanesType) and lanes.rows == 1):
        return None
    result = TileType(1, 1)

    def codegen(context, builder, signature, args):
        vec, n = _vec(result), lanes.vectors
        ours = _address(context, builder, signature.args[0], args[0], args[1])
        theirs = _address(context, builder, signature.args[2], args[2], args[3])
        sums = [_constant(vec, 0.0)] * vec.count
        for v in range(n):
            four = [builder.load(_vector_at(builder, ours, vec, r * n + v), align=4, typ=vec) for r in range(4)]
            for g in range(vec.count // 4):
                column = builder.load(_vector_at(builder, theirs, vec, g * n + v), align=4, typ=vec)
                for r in range(4):
                    sums[4 * g + r] = _fma(builder, four[r], column, sums[4 * g + r])
        # Lane j of the result is the sum over all lanes of vector j. A step adds lanes j and j ^ k of two vectors: the
        # first's sums go where bit k of j is clear, the second's where it is set.
        k, w = 1, vec.count
        while k < w:
            mixed = []
            for x, y in zip(sums[::2], sums[1::2], strict=True):
                kept = _shuffle(builder, x, y, [j + w if j & k else j for j in range(w)])
                other = _shuffle(builder, y, x, [j + w if j & k else j for j in range(w)])
                mixed.append(builder.fadd(kept, _shuffle(builder, other, other, [j ^ k for j in range(w)])))
            sums, k = mixed, 2 * k
        return _tile(builder, sums)

    return result(rows, types.intp, columns, types.intp, lanes), codegen


@intrinsic
def store_fours(typingctx, tile, array, offset, stride):
    """Write each four lanes of a vector to consecutive elements from offset + g * stride."""
    if not (isinstance(tile, TileType) and tile.rows * tile.vectors == 1 and _is_array(array)):
        return None

    def codegen(context, builder, signature, args):
        (v,) = _vectors(builder, args[0])
        address = _address(context, builder, signature.args[1], args[1], args[2])
        for g in range(0, v.type.count, 4):
            four = _shuffle(builder, v, v, list(range(g, g + 4)))
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
            builder.module, ir.FunctionType(ir.VoidType(), [byte, _INT32, _INT32, _INT32]), "llvm.prefetch.p0"
        )
        with cgutils.for_range_slice(builder, args[1], args[2], line, intp) as (k, _):
            address = builder.bitcast(_address(context, builder, array_type, args[0], k), byte)
            builder.call(function, [address, _INT32(0), _INT32(3), _INT32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), codegen
