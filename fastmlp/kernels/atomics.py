"""What threads share: int64 values that are read and written as one step, and a way to let another thread run."""

from __future__ import annotations

import sys

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

__all__ = ["atomic_add", "atomic_load", "yield_processor"]

# The operating system's "let another thread run", found in the process by name when the kernel is linked.
yield_processor = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


@intrinsic
def atomic_add(typingctx, array, index, value):
    """array[index] += value as one step; returns what was there before."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), codegen


@intrinsic
def atomic_load(typingctx, array, index):
    """array[index], with all that its writer wrote before."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), "acquire", 8, typ=ir.IntType(64))

    return types.int64(array, types.intp), codegen
