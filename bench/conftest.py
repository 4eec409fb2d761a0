"""What the benchmarks share: the data, an idle process, and the facts that are stored with each time.

Plain `pytest` runs every benchmark once, as a test; `pytest --benchmark-only` measures.
"""

import functools
import os
from collections.abc import Callable

import pytest

from fastmlp import DataError, Dataset, load_mnist, load_synthetic
from fastmlp.arrays import Float32Array
from fastmlp.comparison.arithmetic import multiplied_inputs
from fastmlp.datasets import mnist
from fastmlp.environment import environment
from fastmlp.kernels.layout import choose_lanes
from fastmlp.kernels.probe import Probe
from fastmlp.machine import available_processors, wait_until_idle


def pytest_configure(config: pytest.Config) -> None:
    measure = config.option.benchmark_only or config.option.benchmark_enable
    config.option.benchmark_disable = not measure


@pytest.fixture(scope="session")
def data() -> Dataset:
    """MNIST where this machine has it, else the synthetic digits; nothing is downloaded."""

    def refuse(*_):
        raise DataError("a benchmark does not download")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "download", refuse)
        try:
            return load_mnist()
        except DataError:
            if os.environ.get("FASTMLP_DATA_DIR"):
                raise
    return load_synthetic()


@functools.cache
def peak_gflops(n_threads: int) -> float:
    """The rate of multiply-adds on this many threads, measured once per session: the best of five probes."""
    wait_until_idle()
    probe = Probe(n_threads)
    return max(probe.gflops() for _ in range(5))


@functools.cache
def versions() -> dict[str, str]:
    facts = environment()
    names = ("fastmlp", "python", "numpy", "numba", "llvmlite", "keras", "tensorflow", "torch", "jax", "scikit-learn")
    return {name: facts[name] for name in names if name in facts}


@pytest.fixture
def facts(benchmark):
    """Write into `extra_info` what a time depends on and, once it is measured, its rate.

    `flop` counts the operations of one round, over the nonzeros where zeros are skipped; `dense_flop` counts those of
    the same work with the zeros. A multiply-add is two operations.
    """

    def write(*, threads: int, flop: float = 0, dense_flop: float = 0, **others) -> None:
        benchmark.extra_info.update(threads=threads, versions=versions(), **others)
        if benchmark.stats is None or not flop:  # not measured, or nothing to count
            return
        seconds = benchmark.stats.stats.median
        peak = peak_gflops(threads)
        benchmark.extra_info.update(
            gflops=flop / seconds / 1e9,
            dense_gflops=(dense_flop or flop) / seconds / 1e9,
            peak_gflops=peak,
            share_of_peak=flop / seconds / 1e9 / peak,
        )

    return write


@pytest.fixture
def net_facts(data, facts):
    """Write the facts of a whole net's work on the inputs X, whose operations `flop_of` counts."""

    def write(name: str, hidden_size: int, X: Float32Array, flop_of: Callable[..., int], **others) -> None:
        inputs = X.size
        if name == "fastmlp":
            inputs = multiplied_inputs(X, hidden_size)
            others["tile"] = f"{choose_lanes(hidden_size).units} units"
        facts(
            threads=available_processors(),
            flop=flop_of(inputs, len(X), hidden_size, data.n_classes),
            dense_flop=flop_of(X.size, len(X), hidden_size, data.n_classes),
            dataset=data.name,
            **others,
        )

    return write


@pytest.fixture
def time_rounds(benchmark):
    """Time rounds of a function in an idle process, each after an untimed `setup`. Return what the last one returns."""

    def time_them(function, *args, rounds: int, setup=None, warmup_rounds: int = 1):
        wait_until_idle()
        return benchmark.pedantic(function, args, setup=setup, rounds=rounds, warmup_rounds=warmup_rounds)

    return time_them
