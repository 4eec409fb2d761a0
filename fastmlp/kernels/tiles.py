"""The register tile as a type: what the machine's registers hold, and how Numba and LLVM see a tile.

A `Tile` is a block of `rows` x `vectors` SIMD vectors of float32 that LLVM keeps in registers. `Lanes(vectors)` is the
tag that carries a tile's width into a kernel as a type, so that the kernels stand at module level and Numba's disk
cache works (a kernel made in a closure would miss it in every process). The operations are in `simd.py` and
`lanewise.py`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import NativeValue, models, register_model, typeof_impl, unbox

from .compiled import SOURCE_DIGEST

__all__ = [
    "FLOAT",
    "INT32",
    "MAX_BLOCK_ROWS",
    "Lanes",
    "LanesType",
    "Target",
    "TileType",
    "address_of",
    "constant",
    "fused_multiply_add",
    "is_array",
    "larger_of",
    "load_scalar",
    "load_vectors",
    "shuffle",
    "splat",
    "target",
    "tile_of",
    "vector_at",
    "vector_of",
    "vectors_of",
]

FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
MAX_BLOCK_ROWS = 8
"""Rows of a register block, at most."""


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
            return vectors, vectors
        return -(-vectors // 2), vectors // 2

    def takes_turns(self, vectors: int) -> bool:
        """Whether a tile is so narrow that two rows are worth summing in turns.

        A multiply-add takes four cycles and two can start in each: with fewer than eight sums under way they wait.
        """
        return 2 * vectors <= self.registers - 6

    def strip_vectors(self, vectors: int) -> int:
        """Vectors of a strip: a block of six rows of it fills the registers."""
        return min(vectors, 4 if self.registers >= 32 else 2)

    def block_rows(self, vectors: int) -> int:
        """Rows of a register block: accumulators, one row of vectors and one broadcast must fit the registers."""
        return max(1, min(MAX_BLOCK_ROWS, (self.registers - 1 - vectors) // vectors))


@functools.cache
def target() -> Target:
    """Ask LLVM itself: compile one 16-lane multiply-add for Numba's target and look at the registers it uses.

    Numba's choice counts (NUMBA_CPU_NAME and NUMBA_CPU_FEATURES included), and no table of CPU features is needed.
    """
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    module = ir.Module()
    module.triple = triple
    vec = ir.VectorType(FLOAT, 16)
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
        vec = ir.VectorType(FLOAT, fe_type.width)
        super().__init__(dmm, fe_type, ir.ArrayType(vec, fe_type.rows * fe_type.vectors))


@typeof_impl.register(Lanes)
def _typeof_lanes(value: Lanes, context: Any) -> LanesType:
    return LanesType(1, value.vectors)


@unbox(LanesType)
def _unbox_lanes(typ: LanesType, obj: Any, c: Any) -> NativeValue:
    return NativeValue(c.context.get_dummy_value())


# --- Helpers that write LLVM instructions -----------------------------------------------------------------------------


def vector_of(typ: Any) -> ir.VectorType:
    """The LLVM type of one vector of a tile."""
    return ir.VectorType(FLOAT, typ.width)


def address_of(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    """Pointer to element `offset` of an array, counted from its start."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [offset])


def vector_at(builder: Any, address: Any, vec: Any, index: int) -> Any:
    """Pointer to the vector `index` vectors after `address`."""
    return builder.gep(builder.bitcast(address, vec.as_pointer()), [INT32(index)])


def load_scalar(builder: Any, address: Any, index: int = 0) -> Any:
    """The float32 `index` elements after `address`."""
    return builder.load(builder.gep(address, [INT32(index)]), align=4, typ=FLOAT)


def load_vectors(builder: Any, address: Any, vec: Any, count: int) -> list[Any]:
    """The `count` vectors from `address` on."""
    return [builder.load(vector_at(builder, address, vec, v), align=4, typ=vec) for v in range(count)]


def splat(builder: Any, vec: Any, scalar: Any) -> Any:
    """A vector with `scalar` in every lane."""
    one = builder.insert_element(ir.Constant(vec, ir.Undefined), scalar, INT32(0))
    mask = ir.Constant(ir.VectorType(INT32, vec.count), [0] * vec.count)
    return builder.shuffle_vector(one, one, mask)


def constant(vec: Any, value: float) -> Any:
    """A vector with the constant `value` in every lane."""
    return ir.Constant(vec, [ir.Constant(FLOAT, value)] * vec.count)


def fused_multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c on vectors, rounded once where the machine can."""
    if not target().fused:
        return builder.fadd(builder.fmul(a, b), c)
    vec = a.type
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vec, [vec] * 3), f"llvm.fma.v{vec.count}f32"
    )
    return builder.call(function, [a, b, c])


def shuffle(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    """Lanes of two vectors, counted through both, as one vector."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(lanes)), lanes))


def vectors_of(builder: Any, tile: Any) -> list[Any]:
    """The vectors of a tile, row by row."""
    return [builder.extract_value(tile, v) for v in range(tile.type.count)]


def tile_of(builder: Any, vectors: list[Any]) -> Any:
    """The tile of these vectors."""
    tile = ir.Constant(ir.ArrayType(vectors[0].type, len(vectors)), ir.Undefined)
    for v, vector_ in enumerate(vectors):
        tile = builder.insert_value(tile, vector_, v)
    return tile


def is_array(typ: Any, dtype: Any = types.float32) -> bool:
    """Whether a Numba type is that of a C-contiguous array of `dtype`."""
    return isinstance(typ, types.Array) and typ.layout == "C" and typ.dtype == dtype


def larger_of(builder: Any, a: Any, b: Any) -> Any:
    """Lane by lane `a if a > b else b`: b where either is NaN (one instruction on x86)."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)
