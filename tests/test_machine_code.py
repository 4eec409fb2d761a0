"""The hot loops as the compiler made them: full vectors, nothing kept on the stack, no gathers."""

import platform

import machine_code
import pytest

from fastmlp.kernels.coded import CodedNonzeros, CodedPairs
from fastmlp.kernels.sparse import SparseRows
from fastmlp.kernels.tiles import target

ASSEMBLY = """
.LBB0_1:
	vmovups	(%rax), %ymm1
	vmovups	%ymm2, 16(%rsp)
	vfmadd231ps	(%rcx), %ymm1, %ymm0
	addq	$4, %rax
	jne	.LBB0_1
	ret
.LBB0_2:
	vfmadd231ps	(%rcx), %ymm1, %ymm0
	jmp	.LBB0_1
"""


def test_loops_are_found_and_counted():
    (loop,) = machine_code.innermost_loops(ASSEMBLY)
    assert len(loop.lines) == 5
    assert loop.count(r"\bvfmadd") == loop.count(machine_code.SPILL) == 1


@pytest.mark.long
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 only")
@pytest.mark.parametrize("form", [CodedPairs, CodedNonzeros, SparseRows])
@pytest.mark.parametrize("hidden_size", [30, 128, 300])
def test_the_hot_loops_are_vectors_without_spills_and_gathers(hidden_size, form):
    register = {4: "xmm", 8: "ymm", 16: "zmm"}[target().width]
    for assembly in machine_code.hot_kernels(hidden_size, form).values():
        loops = list(machine_code.innermost_loops(assembly))
        assert loops
        assert sum(loop.count(register) > 0 for loop in loops) == len(loops)
        assert not any(loop.count(machine_code.SPILL) or loop.count("gather") for loop in loops)
