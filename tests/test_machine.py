"""What the machine is asked: processors and quota, threads, rest, memory."""

import os
import sys
import threading
import time

import numpy as np
import pytest

from fastmlp import machine
from fastmlp.machine import (
    available_processors,
    environment_for,
    keep_to_cpu,
    peak_memory,
    pin_to,
    processors_for,
    wait_until_idle,
)

NO_AFFINITY = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin processes")


@pytest.fixture
def eight_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {9, 2, 3, 4, 5, 6, 7, 8}, raising=False)


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """Let a control group say what is written here, file by file."""
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)

    def write(**files):
        (tmp_path / "cpu").mkdir(exist_ok=True)
        for name, content in files.items():
            (tmp_path / name.replace("__", "/cpu.").replace("cpu_max", "cpu.max")).write_text(content, encoding="utf-8")

    return write


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu_max": "max 100000\n"}, 8),
        ({"cpu_max": "300000 100000\n"}, 3),
        ({"cpu_max": "150000 100000\n"}, 2),
        ({"cpu_max": "10000 100000\n"}, 1),
        ({"cpu_max": "9900000 100000\n"}, 8),
        ({"cpu_max": "nonsense"}, 8),
        ({"cpu__cfs_quota_us": "200000\n", "cpu__cfs_period_us": "100000\n"}, 2),
        ({"cpu__cfs_quota_us": "-1\n", "cpu__cfs_period_us": "100000\n"}, 8),
        ({}, 8),
    ],
)
def test_a_containers_quota_cuts_the_processors(eight_processors, cgroup, files, expected):
    cgroup(**files)
    assert available_processors() == expected


def test_the_affinity_mask_counts_and_else_the_machines_processors(eight_processors, cgroup, monkeypatch):
    cgroup()
    assert available_processors() == 8
    assert processors_for(3) == [2, 3, 4]
    assert processors_for(20) == [2, 3, 4, 5, 6, 7, 8, 9]
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert available_processors() == 5
    assert processors_for(3) == []


@NO_AFFINITY
def test_pinned_to_what_is_named_and_to_nothing_else(run_python):
    run_python(
        "import os\n"
        "from fastmlp.machine import pin_to\n"
        "before = os.sched_getaffinity(0)\n"
        "pin_to([])\n"
        "assert os.sched_getaffinity(0) == before\n"
        "pin_to([min(before)])\n"
        "assert os.sched_getaffinity(0) == {min(before)}"
    )


def test_nothing_is_pinned_where_that_cannot_be(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    pin_to([])


def test_environment_of_a_computing_process(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("ANYTHING_ELSE", "stays")
    environment = environment_for(3)
    assert not {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"} & set(environment)
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "3"
    assert environment["CUDA_VISIBLE_DEVICES"] == "-1"
    assert environment["ANYTHING_ELSE"] == "stays"
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_the_cpu_is_the_default_and_not_forced(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("JAX_PLATFORMS", "anything")  # so that monkeypatch puts back what was there
    monkeypatch.delenv("JAX_PLATFORMS")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    keep_to_cpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    assert os.environ["JAX_PLATFORMS"] == "cpu"


def test_a_process_whose_name_is_no_text(run_python):
    run_python(
        "from pathlib import Path; from fastmlp.machine import peak_memory\n"
        "Path('/proc/self/comm').write_bytes(b'\\xff\\xfe') if Path('/proc').is_dir() else None\n"
        "assert peak_memory() > 1_000_000"
    )


def test_peak_memory_grows_with_what_is_held():
    before = peak_memory()
    if before is None:
        pytest.skip("this system does not say")
    held = np.ones(before // 4)  # twice as many bytes
    assert peak_memory() > 1.5 * before
    del held
    assert peak_memory() > 1.5 * before


def test_a_process_is_idle_when_its_threads_are():
    def work():
        while time.monotonic() < end:
            pass

    end = time.monotonic() + 0.3
    thread = threading.Thread(target=work)
    thread.start()
    wait_until_idle()
    assert time.monotonic() >= end
    thread.join()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux locks pages as they come")
def test_a_process_keeps_its_memory_where_it_may(run_python):
    code = "from fastmlp.machine import keep_memory; keep_memory(); print(open('/proc/self/status').read())"
    status = dict(line.split(":", 1) for line in run_python(code).stdout.splitlines() if line)
    may_lock = int(status["CapEff"], 16) >> 14 & 1  # CAP_IPC_LOCK
    assert bool(int(status["VmLck"].split()[0])) == bool(may_lock)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no users' rights like these")
def test_a_process_without_the_right_locks_nothing_and_so_can_get_more_memory(run_python):
    run_python(
        "import ctypes, os\n"
        "from fastmlp.machine import keep_memory\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "ctypes.CDLL = None  # a call fails\n"
        "keep_memory()"
    )
