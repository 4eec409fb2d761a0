"""Training as a user has it, with nothing to compare with: seconds, the share of the machine's rate, and growth."""

import functools
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from fastmlp import NeuralNetwork
from fastmlp.comparison.arithmetic import training_flop
from measurements.peers import random_inputs
from measurements.setting import Setting, duration
from measurements.values import Case, NotMeasuredError, Reading, at_least, at_most

__all__ = ["accuracy", "dense_share", "fit", "growth_samples", "growth_units", "optimizers"]

_WANTED = 0.975
_SIZES = (128, 256, 300, 520)
_GROWING_UNITS = (128, 256, 512, 1024, 2048, 4096)
_GROWING_SAMPLES = {6_000: 20, 60_000: 4, 600_000: 2}  # and how many epochs of each count
_BYTES = 4e9  # that must be free for the largest of them, which takes 1.9e9 as float32


def fit(setting: Setting) -> Iterator[Case]:
    """Yield the seconds of a whole `fit`, packing included, from float32 arrays to trained weights."""
    yield Case("20 epochs, H=300", at_most("s", 3.5, 2), functools.partial(_fit, setting))


def _fit(setting: Setting) -> Reading:
    data, seconds = setting.data, []
    setting.epochs(setting.net(300), 1)  # compiles, or loads from disk
    for _ in range(setting.times(3)):
        net, start = setting.net(300), perf_counter()
        net.fit(data.x_train, data.y_train, 128, setting.times(20))
        seconds.append(perf_counter() - start)
    return Reading(
        float(np.median(seconds)), f"median of {len(seconds)}, fastest {min(seconds):.2f} s", {"fit": seconds}
    )


def accuracy(setting: Setting) -> Iterator[Case]:
    """Yield the seconds of training until the test accuracy is 0.975, at the best hidden size."""
    yield Case(f"best of H={','.join(map(str, _SIZES))}", at_most("s", 2.5, 1.5), functools.partial(_accuracy, setting))


def _accuracy(setting: Setting) -> Reading:
    seconds: dict[str, list[float]] = {}
    for seed in range(setting.times(3)):
        for H in setting.some(_SIZES):
            seconds.setdefault(f"H={H}", []).append(_seconds_to_accuracy(setting, H, seed))
    medians = {what: float(np.median(times)) for what, times in seconds.items()}
    best = min(medians, key=medians.__getitem__)
    if not np.isfinite(medians[best]):
        raise NotMeasuredError(f"no net came to {_WANTED} on {setting.data.name} in {setting.times(20)} epochs")
    return Reading(medians[best], f"{best}; " + ", ".join(f"{what} {s:.2f} s" for what, s in medians.items()), seconds)


def _seconds_to_accuracy(setting: Setting, H: int, seed: int) -> float:
    """Return the seconds of the epochs until the accuracy is reached, packing included; infinity where it never is."""
    data, net, scores = setting.data, setting.net(H, seed=seed), []

    def after_epoch(*_: object) -> None:
        scores.append(net.score(data.x_test, data.y_test).accuracy)

    history = net.fit(data.x_train, data.y_train, 128, setting.times(20), callback=after_epoch)
    reached = [k for k, score in enumerate(scores) if score >= _WANTED]
    return sum(history.seconds[: reached[0] + 1]) if reached else np.inf


def optimizers(setting: Setting) -> Iterator[Case]:
    """Yield the time of an epoch with momentum and with Adam, as a multiple of plain descent's."""
    for name, floor in (("momentum", 1.3), ("adam", 1.5)):
        for H in setting.some((30, 300, 1024)):
            yield Case(f"{name}, H={H}", at_most("times", floor), functools.partial(_against_sgd, setting, name, H))


def _against_sgd(setting: Setting, optimizer: str, H: int) -> Reading:
    nets = {name: setting.net(H, lr=None, optimizer=name) for name in ("sgd", optimizer)}
    seconds: dict[str, list[float]] = {name: [] for name in nets}
    for _ in range(setting.times(7)):
        for name, net in nets.items():
            seconds[name] += setting.epochs(net, 2)
    ratios = [its / plain for its, plain in zip(seconds[optimizer], seconds["sgd"], strict=True)]
    detail = ", ".join(f"{name} {duration(times)}" for name, times in seconds.items())
    return Reading(float(np.median(ratios)), detail, seconds)


def dense_share(setting: Setting) -> Iterator[Case]:
    """Yield the share of the machine's rate of multiply-adds that an epoch on inputs without zeros reaches."""
    for H in setting.some((128, 300, 1024)):
        yield Case(f"H={H}", at_least("%", 70, 90), functools.partial(_dense_share, setting, H))


def _dense_share(setting: Setting, H: int) -> Reading:
    n = min(10_000, len(setting.data.x_train))
    X, y = random_inputs(n, 1.0), np.random.default_rng(1).integers(0, 10, n)
    net, seconds, rates = setting.net(H, 0.001), [], []
    for _ in range(setting.times(5)):
        rates.append(setting.probe.gflops())
        seconds += net.fit(X, y, 128, 4).seconds[1:]
    ours, rate = training_flop(X.size, n, H, 10) / np.median(seconds) / 1e9, np.median(rates)
    detail = f"{ours:.1f} of {rate:.1f} GFLOP/s, an epoch {duration(seconds)}"
    return Reading(100 * float(ours / rate), detail, {"epochs": seconds, "gflops": rates})


def growth_units(setting: Setting) -> Iterator[Case]:
    """Yield by how much the time per hidden unit differs between small and large nets."""
    yield Case("H=128 to 4096", at_most("times", 1.5, 1.2), functools.partial(_growth_units, setting))


def _growth_units(setting: Setting) -> Reading:
    seconds: dict[int, list[float]] = {}
    for _ in range(setting.times(2)):
        for H in setting.some(_GROWING_UNITS):
            seconds.setdefault(H, []).extend(setting.epochs(setting.net(H), 2))
    return _growth(seconds, "us per unit", 1e6)


def growth_samples(setting: Setting) -> Iterator[Case]:
    """Yield by how much the time per sample differs between few and many."""
    yield Case("n=6,000 to 600,000", at_most("times", 1.5, 1.2), functools.partial(_growth_samples, setting))


def _growth_samples(setting: Setting) -> Reading:
    if not setting.quick and (free := _free_memory()) < _BYTES:
        raise NotMeasuredError(
            f"600,000 samples need {_BYTES / 1e9:g} GB of free memory, and there are {free / 1e9:.1f}"
        )
    data, seconds, counts = setting.data, {}, setting.some(tuple(_GROWING_SAMPLES))
    X, y = (np.resize(array, (counts[-1], *array.shape[1:])) for array in (data.x_train, data.y_train))
    for n in counts:
        net: NeuralNetwork = setting.net(300)
        seconds[n] = net.fit(X[:n], y[:n], 128, _GROWING_SAMPLES[n] + 1).seconds[1:]
    return _growth(seconds, "us per sample", 1e6)


def _growth(seconds: dict[int, list[float]], unit: str, scale: float) -> Reading:
    """Return the largest time for one of what there is more and more of, divided by the smallest."""
    each = {count: float(np.median(times)) / count for count, times in seconds.items()}
    detail = f"{unit}: " + ", ".join(f"{count} {scale * time:.3g}" for count, time in each.items())
    return Reading(max(each.values()) / min(each.values()), detail, {str(count): s for count, s in seconds.items()})


def _free_memory() -> float:
    """Return how many bytes the system says are available; infinity where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return np.inf
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), np.inf)
