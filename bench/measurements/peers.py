"""An epoch against the fastest of NumPy, JAX, PyTorch and TensorFlow, each in a process of its own, an epoch in turn.

The processes are those of `fastmlp compare`.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fastmlp.comparison.run import ContenderRun, RunFailedError
from fastmlp.comparison.spec import WEIGHTS, RunSpec, save_arrays
from fastmlp.contenders import MODULES, available, not_installed
from fastmlp.engine.optimizers import as_optimizer, default_lr
from fastmlp.machine import processors_for
from measurements.setting import Setting, duration
from measurements.values import Bar, Case, NotMeasuredError, Reading, at_least
from measurements.yardstick import SIZES

__all__ = ["PEERS", "batches", "dense", "one_thread", "optimizers", "peers", "random_inputs", "sparse"]

PEERS = ("numpy", "jax", "torch", "keras-tuned")
_EPOCHS = 5  # the first does not count
_LARGE, _EPOCHS_IF_LARGE = 500, 4  # from this many hidden units on
_TIMEOUT = 600.0
_N_RANDOM = 60_000  # as many as MNIST has
_LR_RANDOM = 0.001  # large inputs: a net that diverges would be another measurement


def peers(setting: Setting) -> Iterator[Case]:
    """Yield how many times faster an epoch is than the fastest peer's, for each hidden size."""
    for H in setting.some(SIZES):
        yield _case(setting, f"H={H}", at_least("times", 3.2, 5), H)


def batches(setting: Setting) -> Iterator[Case]:
    """Yield the same for a small and a large batch."""
    for batch in setting.some((32, 512)):
        for H in setting.some((128, 300)):
            yield _case(setting, f"batch {batch}, H={H}", at_least("times", 3, 5), H, batch=batch)


def dense(setting: Setting) -> Iterator[Case]:
    """Yield the same for inputs without zeros."""
    folder = functools.cache(lambda: _random_folder(setting, 1.0))
    for H in setting.some((128, 300, 1024)):
        yield _case(setting, f"H={H}", at_least("times", 1.3, 2), H, folder=folder, lr=_LR_RANDOM)


def sparse(setting: Setting) -> Iterator[Case]:
    """Yield the same for inputs that are mostly zeros, with more than 256 distinct values."""
    bars = {0.19: (3, 5), 0.05: (5, 8), 0.02: (None, None)}
    for density in setting.some(tuple(bars)):
        folder = functools.cache(functools.partial(_random_folder, setting, density))
        for H in setting.some((30, 300)):
            bar = at_least("times", *bars[density])
            yield _case(setting, f"density {density}, H={H}", bar, H, folder=folder, lr=_LR_RANDOM)


def one_thread(setting: Setting) -> Iterator[Case]:
    """Yield how many times faster an epoch is than JAX's, both on one thread."""
    for H in setting.some((30, 300)):
        yield _case(setting, f"H={H}", at_least("times", 2.8, 5), H, threads=1, others=("jax",))


def optimizers(setting: Setting) -> Iterator[Case]:
    """Yield how many times faster an epoch is than the faster one of JAX and PyTorch, with the same optimiser."""
    for name in setting.some(("momentum", "adam")):
        for H in setting.some((30, 300, 1024)):
            lr, others = default_lr(as_optimizer(name)), ("jax", "torch")
            yield _case(setting, f"{name}, H={H}", at_least("times", 3), H, optimizer=name, lr=lr, others=others)


def random_inputs(n: int, density: float) -> np.ndarray:
    """Return X (n, 784) float32, uniform from 0 to 1 where it is not 0, which `density` of it is not."""
    rng = np.random.default_rng(0)
    X = 1 - rng.random((n, 784), np.float32)  # never 0
    return X if density == 1 else X * (rng.random(X.shape, np.float32) < density)


def _random_folder(setting: Setting, density: float) -> Path:
    """Write random inputs into a folder, for the processes."""
    n, folder = min(_N_RANDOM, len(setting.data.x_train)), setting.folder / f"random-{density}"
    X, y = random_inputs(n, density), np.random.default_rng(1).integers(0, 10, n)
    folder.mkdir()
    save_arrays(folder, {"x_train": X, "y_train": y, "x_test": X[:100], "y_test": y[:100]})
    return folder


def _case(setting: Setting, what: str, bar: Bar, H: int, **how: object) -> Case:
    return Case(what, bar, functools.partial(_against_peers, setting, H, **how))


def _against_peers(
    setting: Setting,
    H: int,
    *,
    batch: int = 128,
    folder: Callable[[], Path] | None = None,
    lr: float = 0.1,
    optimizer: str = "sgd",
    threads: int | None = None,
    others: Sequence[str] = PEERS,
) -> Reading:
    """Return how many times faster our epoch is than that of the fastest of `others`."""
    if missing := [net for net in others if not available(net)]:
        raise NotMeasuredError("; ".join(map(not_installed, missing)))
    threads = threads or setting.threads
    spec = functools.partial(
        RunSpec,
        hidden_size=H,
        lr=lr,
        optimizer=optimizer,
        input_size=setting.data.x_train.shape[1],
        output_size=setting.data.n_classes,
        seed=0,
        threads=threads,
        batch_size=batch,
        epochs=setting.times(_EPOCHS if H < _LARGE else _EPOCHS_IF_LARGE),
        data=str(folder() if folder else setting.data_folder()),
        weights=str(_weights_folder(setting, H)),
        processors=processors_for(threads),
    )
    seconds = _take_turns({net: spec(module=MODULES[net].name) for net in ("fastmlp", *others)})
    medians = {net: float(np.median(times[1:])) for net, times in seconds.items()}
    fastest = min(others, key=medians.__getitem__)
    rest = ", ".join(f"{net} {duration(seconds[net][1:])}" for net in sorted(others, key=medians.__getitem__))
    return Reading(medians[fastest] / medians["fastmlp"], f"ours {duration(seconds['fastmlp'][1:])}, {rest}", seconds)


def _weights_folder(setting: Setting, H: int) -> Path:
    """Write the weights from which all nets start into a folder."""
    folder, net = setting.folder / f"weights-{H}", setting.net(H)
    folder.mkdir(exist_ok=True)
    save_arrays(folder, {name: getattr(net, name) for name in WEIGHTS})
    return folder


def _take_turns(specs: dict[str, RunSpec]) -> dict[str, list[float]]:
    """Let the nets train, an epoch each in turn; return the seconds of their epochs."""
    results = {}
    with contextlib.ExitStack() as stack:
        runs = {net: stack.enter_context(ContenderRun(spec, _TIMEOUT)) for net, spec in specs.items()}
        for _ in range(next(iter(specs.values())).epochs):
            for net, run in runs.items():
                try:
                    results[net] = run.epoch()
                except RunFailedError as error:
                    raise NotMeasuredError(f"the net '{net}' failed: {error}") from None
    return {net: result["history"]["seconds"] for net, result in results.items()}
