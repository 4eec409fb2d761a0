"""The targets: how fast fastmlp is to be, measured on this machine. `make targets`, or `python bench/targets.py`.

Before and after each measurement a probe counts the multiply-adds that the machine does at that moment. The lower rate
stands beside the value, so that a disturbed machine shows itself.

Exit codes: 0 every floor is met, 1 one is missed or was not measured, 2 wrong arguments or no data, 130 interrupted.
"""

import argparse
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from measurements import peers, prediction, sharing, starting, training
from measurements.setting import Setting
from measurements.values import HEADER, MISSED, NO_BAR, NOT_MEASURED, TRIAL, Case, NotMeasuredError, Value
from measurements.yardstick import yardstick

from fastmlp import DataError, Dataset, load_dataset
from fastmlp.environment import environment
from fastmlp.errors import FastmlpError
from fastmlp.files.atomic import check_writable, write_whole
from fastmlp.files.json_safe import json_safe
from fastmlp.kernels.probe import Probe
from fastmlp.machine import available_processors, wait_until_idle

TARGETS: dict[str, tuple[Callable[[Setting], Iterator[Case]], str]] = {
    "yardstick": (yardstick, "an epoch against the same in C++"),
    "peers": (peers.peers, "an epoch against the fastest of NumPy, JAX, PyTorch, TensorFlow"),
    "batches": (peers.batches, "the same with batches of 32 and 512"),
    "dense": (peers.dense, "the same on inputs without zeros"),
    "dense-share": (training.dense_share, "the share of the multiply-add rate on inputs without zeros"),
    "sparse": (peers.sparse, "an epoch on sparse inputs of many values against the fastest peer"),
    "one-thread": (peers.one_thread, "an epoch against JAX, both on one thread"),
    "optimizers": (training.optimizers, "an epoch with momentum and with Adam against plain descent's"),
    "peer-optimizers": (peers.optimizers, "an epoch against JAX and PyTorch with the same optimiser"),
    "fit": (training.fit, "a whole fit of 20 epochs"),
    "accuracy": (training.accuracy, "seconds of training to a test accuracy of 0.975"),
    "few-rows": (prediction.few_rows, "forward of 1, 16 and 128 rows against NumPy"),
    "many-rows": (prediction.many_rows, "forward of 10,000 rows against NumPy"),
    "busy": (sharing.busy, "an epoch beside busy programs"),
    "two-fits": (sharing.two_fits, "two fits at once against one after the other"),
    "many-threads": (sharing.many_threads, "an epoch on 16 threads"),
    "cold-fit": (starting.cold_fit, "compiling, with an empty kernel cache"),
    "cached-fit": (starting.cached_fit, "loading the kernels from their cache"),
    "train": (starting.train_command, "the command `fastmlp train` beyond its training"),
    "memory": (starting.train_memory, "the most memory that `fastmlp train` holds"),
    "growth-units": (training.growth_units, "time per hidden unit, small and large nets"),
    "growth-samples": (training.growth_samples, "time per sample, few and many"),
}
_QUICK_TRAIN, _QUICK_TEST = 1000, 200  # samples


def measured(target: str, case: Case, setting: Setting) -> Value:
    """Measure a case between two probes of the machine."""
    wait_until_idle()
    before, reading, reason = setting.probe.gflops(), None, ""
    try:
        reading = case.measure()
    except (NotMeasuredError, FastmlpError, OSError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
    wait_until_idle()
    return Value(target, case, reading, reason, min(before, setting.probe.gflops()), setting.quick)


def measure_all(names: Sequence[str], setting: Setting) -> Iterator[Value]:
    """Yield the values of the targets with these names as they come."""
    for name in names:
        cases, _ = TARGETS[name]
        for case in cases(setting):
            yield measured(name, case, setting)


def summary(values: Sequence[Value]) -> str:
    """Say how many values meet which bar, and which targets were measured while the machine was disturbed."""
    counts = Counter(value.verdict for value in values)
    said = [f"{counts[name]} {word}" for name, word in _WORDS.items() if counts[name]]
    counted, best = f"{len(values)} values: {', '.join(said)}", best_rate(values)
    if disturbed := Counter(value.target for value in values if value.is_disturbed(best)):
        named = ", ".join(f"{target} ({count})" for target, count in disturbed.items())
        counted += f"\ndisturbed, measured far below the {best:.1f} GFLOP/s that the machine can do: {named}"
    return counted


_WORDS = {
    "goal": "at the goal",
    "floor": "at the floor",
    MISSED: "missed",
    NOT_MEASURED: "not measured",
    NO_BAR: "without a bar",
    TRIAL: "only tried",
}


def best_rate(values: Sequence[Value]) -> float:
    """Return the best rate of multiply-adds around any value, in GFLOP/s."""
    return max((value.gflops for value in values), default=0.0)


def exit_code(values: Sequence[Value]) -> int:
    """Return 0 where every floor is known to be met, else 1."""
    return int(any(value.verdict in (MISSED, NOT_MEASURED, TRIAL) for value in values))


def load_data(quick: bool) -> Dataset:
    """Return MNIST, or the synthetic digits where there is none; a few samples of them for a trial."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the first line of the output says which it is
        data = load_dataset()
    if not quick:
        return data
    cut = {part: getattr(data, part)[:_QUICK_TRAIN] for part in ("x_train", "y_train")}
    return data._replace(**cut, **{part: getattr(data, part)[:_QUICK_TEST] for part in ("x_test", "y_test")})


def write_json(path: Path, setting: Setting, values: Sequence[Value]) -> None:
    """Write what was measured so far, and on what."""
    best = best_rate(values)
    content: dict[str, Any] = {
        "kind": "targets",
        "dataset": setting.data.name,
        "quick": setting.quick,
        "threads": setting.threads,
        "environment": environment(),
        "values": [value.record() | {"disturbed": value.is_disturbed(best)} for value in values],
    }
    text = json.dumps(json_safe(content), indent=1) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line; a wrong one ends the program with exit code 2."""
    listed = "\n".join(f"  {name:15} {what}" for name, (_, what) in TARGETS.items())
    parser = argparse.ArgumentParser(
        prog="targets",
        description="Measure how near this machine comes to the targets of fastmlp.",
        epilog=f"targets:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="NAMES", default=",".join(TARGETS), help="some targets, with commas between")
    parser.add_argument("--quick", action="store_true", help="a trial on a few samples: its figures mean nothing")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write what is measured as JSON too")
    arguments = parser.parse_args(words)
    arguments.only = list(dict.fromkeys(arguments.only.split(",")))
    if unknown := [name for name in arguments.only if name not in TARGETS]:
        parser.error(f"there is no target '{unknown[0]}'; the targets are {', '.join(TARGETS)}")
    if arguments.output:
        try:
            check_writable(arguments.output, force=True)
        except OSError as error:
            parser.error(str(error))
    return arguments


def main(*words: str) -> int:
    """The command line."""
    arguments = parse(words)
    try:
        data = load_data(arguments.quick)
    except DataError as error:
        print(f"targets: {error}", file=sys.stderr)
        return 2
    threads, values = available_processors(), []
    print(f"{data.name}, {len(data.x_train)} samples; threads: {threads}; {environment().get('cpu', 'unknown CPU')}")
    print(HEADER, flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="fastmlp-targets-") as folder:
            setting = Setting(data, threads, Path(folder), Probe(threads), arguments.quick)
            for value in measure_all(arguments.only, setting):
                values.append(value)
                print(value.line(best_rate(values)), flush=True)
                if arguments.output:
                    write_json(arguments.output, setting, values)
    except KeyboardInterrupt:
        print(f"interrupted after {summary(values)}")
        return 130
    print(summary(values))
    return exit_code(values)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
