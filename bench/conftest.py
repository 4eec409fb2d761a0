"""Plain `pytest` runs every benchmark once, as a test; `pytest --benchmark-only` measures."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    measure = config.option.benchmark_only or config.option.benchmark_enable
    config.option.benchmark_disable = not measure
