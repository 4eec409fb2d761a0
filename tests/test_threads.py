"""Any number of threads gives the same bits, and threads are safe wherever a fit may run."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from fastmlp import NeuralNetwork

WEIGHTS = ("W1", "b1", "W2", "b2")


def samples(n: int, density: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.uniform(0.1, 1, (n, 50)) * (rng.random((n, 50)) < density)
    return X.astype(np.float32), rng.integers(0, 10, n)


def trained(hidden_size: int, n_threads: int, density: float, batch_size=32, epochs=2, n=300):
    """The weights and losses of a training run, to be compared with ==."""
    X, y = samples(n, density)
    net = NeuralNetwork(hidden_size, input_size=50, seed=0, n_threads=n_threads)
    history = net.fit(X, y, batch_size, epochs)
    return [getattr(net, name).tobytes() for name in WEIGHTS], history.loss, history.accuracy


@pytest.mark.parametrize("density", [0.15, 1.0])
@pytest.mark.parametrize("batch_size", [1, 17, 128])
@pytest.mark.parametrize("hidden_size", [1, 7, 30, 128, 300])
def test_same_bits_for_any_number_of_threads_and_from_run_to_run(hidden_size, batch_size, density):
    n = 40 if batch_size == 1 else 300
    alone = trained(hidden_size, 1, density, batch_size, n=n)
    for n_threads in (1, 2, 2, 3, 5):
        assert trained(hidden_size, n_threads, density, batch_size, n=n) == alone


@pytest.mark.parametrize("density", [0.15, 1.0])
def test_two_nets_fitted_at_once_are_as_if_alone(density):
    runs = [(30, 2, density, 32, 40), (128, 2, density, 17, 20)]
    alone = [trained(*run) for run in runs]
    start = Barrier(len(runs))

    def fit(run):
        start.wait()
        return trained(*run)

    with ThreadPoolExecutor(len(runs)) as pool:
        assert list(pool.map(fit, runs)) == alone


PROGRAM = """
import hashlib, os, sys, threading
import numpy as np
from fastmlp import NeuralNetwork

rng = np.random.default_rng(1)
X = (rng.random((300, 50)) * (rng.random((300, 50)) < 0.2)).astype(np.float32)
y = rng.integers(0, 10, 300)

def digest(n_threads, epochs=2):
    net = NeuralNetwork(30, input_size=50, seed=0, n_threads=n_threads)
    net.fit(X, y, 32, epochs)
    parts = (net.W1, net.b1, net.W2, net.b2)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
"""

COUNT_THREADS = (
    PROGRAM
    + """
started, peak = 0, 0
start = threading.Thread.start

def counted(thread):
    global started, peak
    start(thread)
    started += 1
    peak = max(peak, threading.active_count() - 1)

threading.Thread.start = counted
"""
)


@pytest.fixture(scope="module")
def one_thread(run_python) -> str:
    """The digest of the weights that PROGRAM trains on one thread."""
    return run_python(PROGRAM + "print(digest(1))").stdout.strip()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_fit_in_a_process_forked_after_a_fit(run_python, one_thread, n_threads):
    done = run_python(
        PROGRAM
        + f"""
before = digest({n_threads})
child = os.fork()
if child == 0:
    print(digest({n_threads}), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(before, digest({n_threads}))
""",
        timeout=60,
    )
    assert done.stdout.split() == [one_thread] * 3


def test_a_fit_in_forked_worker_processes(run_python, one_thread):
    done = run_python(
        PROGRAM
        + """
import multiprocessing
digest(2)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(*pool.map(digest, [2, 1, 2, 3]))
""",
        timeout=60,
    )
    assert done.stdout.split() == [one_thread] * 4


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_many_threads_on_one_core_finish(run_python, one_thread):
    done = run_python(
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        + PROGRAM
        + "print(digest(8), digest(2))",
        timeout=60,
    )
    assert done.stdout.split() == [one_thread] * 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_the_default_is_the_processors_that_may_be_used(run_python):
    done = run_python(
        COUNT_THREADS
        + """
X, y = np.tile(X, (20, 1)), np.tile(y, 20)
for processors in sorted(os.sched_getaffinity(0)), [min(os.sched_getaffinity(0))]:
    os.sched_setaffinity(0, processors)
    peak = 0
    NeuralNetwork(300, input_size=50).fit(X, y, 128, 1)
    print(len(processors), peak)
"""
    )
    for line in done.stdout.splitlines():
        processors, threads = map(int, line.split())
        assert threads <= processors
        assert processors == 1 or threads > 1


def test_without_libgomp_and_tbb(run_python, one_thread):
    done = run_python(
        "import sys\n"
        "for pool in ('omppool', 'tbbpool'):\n"
        "    sys.modules['numba.np.ufunc.' + pool] = None  # importing it now fails\n"
        + PROGRAM
        + "print(digest(1), digest(2), digest(3))"
    )
    assert done.stdout.split() == [one_thread] * 3


def test_few_rows_start_no_thread(run_python):
    done = run_python(
        COUNT_THREADS
        + """
net = NeuralNetwork(30, input_size=50, seed=0, n_threads=2)
for rows in (1, 2, 10):
    net.forward(X[:rows])
    net.predict(X[:rows], y[:rows])
few = started
net.fit(np.tile(X, (20, 1)), np.tile(y, 20), 32, 1)
print(few, started)
"""
    )
    few, after_fit = map(int, done.stdout.split())
    assert few == 0
    assert after_fit > 0  # else the count sees nothing at all
