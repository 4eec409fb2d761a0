"""Kernels that only kernels call are parts: linked into each entry, and optimised and made machine code there alone.

Numba optimises each function by itself and makes machine code of it, then links it into each of its callers and does
both again for the whole. For kernels that Python never calls, all but the last is for nothing. It also runs passes for
what no kernel has (closures, `with` blocks, whole-array expressions), and analyses the function anew after each.

Of Numba this relies on `pipeline_class`, which its manual describes, and on names that it does not: what
`numba.core.codegen.CPUCodeLibrary` calls of itself to optimise and to finish, and that `set_env` is all that is asked
of the `codegen` of a function without machine code. They are the same in 0.63 and 0.68, and `tests/test_linking.py`
fails where they are not.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

__all__ = ["EntryCompiler", "PartCompiler"]

_NOT_NEEDED = {
    "DeadBranchPrune",  # a branch on whether an argument is None
    "DumpParforDiagnostics",
    "FindLiterallyCalls",
    "InlineClosureLikes",
    "InlineInlinables",  # inlining is left to LLVM
    "InlineOverloads",
    "LiteralPropagationSubPipelinePass",
    "LiteralUnroll",
    "MakeFunctionToJitFunction",
    "NoPythonSupportedFeatureValidation",
    "NopythonRewrites",  # whole-array expressions
    "RewriteDynamicRaises",
    "RewriteSemanticConstants",
    "WithLifting",
}
"""Passes of Numba's for what no kernel has. A kernel that had any of it would not compile."""


class _Library(JITCodeLibrary):
    """LLVM code that nothing optimises before an entry is complete."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout


class _Part(_Library):
    """The code of one kernel, without what it calls, and never machine code."""

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0  # as Numba says that there is none

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, env_name: str, env: Any) -> None:
        """Nothing: the place for it is in machine code."""


class _Entry(_Library):
    """The code of an entry and of all that it calls, optimised as a whole."""

    def finalize(self) -> None:
        self._linking_libraries: list[Any] = _with_their_parts(self._linking_libraries)
        super().finalize()

    def _optimize_final_module(self) -> None:
        # Without the passes that Numba runs before, which bring together what counts references.
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)


def _with_their_parts(libraries: Iterable[Any]) -> list[Any]:
    """All that is to be linked: parts come without those that they call."""
    found: dict[Any, None] = {}
    coming = list(libraries)
    while coming:
        library = coming.pop()
        if library not in found:
            found[library] = None
            coming += library._linking_libraries if isinstance(library, _Part) else []
    return list(found)


@contextlib.contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """Keep Python from looking for garbage: again and again it would go through all that the compiler still needs."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _KernelCompiler(Compiler):
    """Numba's compiler, shortened."""

    library_class: type[_Library]

    def compile_extra(self, func: Any) -> Any:
        """As Numba's, while Python collects no garbage."""
        with _no_garbage_collected():
            return super().compile_extra(func)

    def define_pipelines(self) -> list[Any]:
        """Numba's passes without those that no kernel needs."""
        state = self.state
        state.library = self.library_class(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        managers: list[Any] = super().define_pipelines()
        for manager in managers:
            manager.passes = [each for each in manager.passes if each[0].__name__ not in _NOT_NEEDED]
            manager.finalize()
        return managers


class PartCompiler(_KernelCompiler):
    """How Numba compiles what only kernels call."""

    library_class = _Part


class EntryCompiler(_KernelCompiler):
    """How Numba compiles a kernel that Python calls."""

    library_class = _Entry
