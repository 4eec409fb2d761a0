"""What only kernels call is optimised and made machine code once, within the entry that calls it."""

import collections
import gc
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from numba.core.caching import NullCache
from numba.core.codegen import CPUCodegen, JITCodeLibrary
from numba.core.compiler import DefaultPassBuilder, Flags
from numba.core.errors import NumbaError
from numba.extending import overload

from fastmlp.kernels import linking
from fastmlp.kernels.compiled import INLINED_OPTIONS, entry, inlined, kernel


@inlined
def plus_one(x):
    return x + 1


@kernel
def total(values):
    result = 0
    for value in values:
        result += plus_one(value)
    return result


def chosen(values):
    raise NotImplementedError("for kernels only")


@overload(chosen, jit_options=INLINED_OPTIONS)
def _chosen(values):
    return lambda values: total(values[1:])


@entry
def first(values):
    return chosen(values) + plus_one(total(values))


@entry
def second(values):
    return plus_one(total(values))


@entry
def with_a_closure(x):
    def inner(y):
        return x + y

    return inner(1)


@pytest.fixture
def counts(monkeypatch):
    """How often Numba optimises, and makes machine code."""
    numba.njit(lambda: 0)()  # with a process's first function Numba compiles its own
    seen: collections.Counter[str] = collections.Counter()

    def count(cls, name):
        method = getattr(cls, name)

        def counted(self, *args, **options):
            seen[name] += 1
            return method(self, *args, **options)

        monkeypatch.setattr(cls, name, counted)

    count(JITCodeLibrary, "_finalize_specific")
    count(CPUCodegen, "_module_pass_manager")
    count(CPUCodegen, "_function_pass_manager")
    return seen


def test_each_entry_is_optimised_and_made_machine_code_once_with_all_that_it_calls(counts, monkeypatch):
    for each in (first, second):
        monkeypatch.setattr(each, "_cache", NullCache())
    values = np.arange(5)
    assert first(values) == 14 + 16
    assert counts == {"_finalize_specific": 1, "_module_pass_manager": 1}
    assert second(values) == 16  # whose parts were compiled with the first
    assert counts == {"_finalize_specific": 2, "_module_pass_manager": 2}


@pytest.mark.parametrize(("enabled", "dtype"), [(True, np.float64), (False, np.float32)])
def test_garbage_is_collected_after_compiling_as_it_was_before(enabled, dtype, monkeypatch):
    optimize, seen = linking._Entry._optimize_final_module, []

    def seen_at_work(library):
        seen.append(gc.isenabled())
        optimize(library)

    monkeypatch.setattr(second, "_cache", NullCache())
    monkeypatch.setattr(linking._Entry, "_optimize_final_module", seen_at_work)
    try:
        if not enabled:
            gc.disable()
        assert second(np.arange(5, dtype=dtype)) == 16  # not compiled for this type before
        assert (seen, gc.isenabled()) == ([False], enabled)
    finally:
        gc.enable()


def test_what_is_replaced_and_left_out_is_numbas():
    for library in (linking._Library, linking._Part, linking._Entry):
        own = {name for name, value in vars(library).items() if callable(value) or isinstance(value, property)}
        assert own - {"set_env"} <= set(dir(JITCodeLibrary))
    state = SimpleNamespace(func_ir=None, flags=Flags())
    passes = {each.__name__ for each, _ in DefaultPassBuilder.define_nopython_pipeline(state).passes}
    assert passes > linking._NOT_NEEDED


def test_a_kernel_with_what_is_left_out_does_not_compile():
    with pytest.raises(NumbaError):
        with_a_closure(1)
