"""A sweep under way: settings handed out by joblib to processes of this machine, or to the workers of Dask."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastmlp.dask.cluster import Cluster
from fastmlp.dask.worker import keep
from fastmlp.datasets.split import hold_back
from fastmlp.engine.fit_options import FitOptions
from fastmlp.engine.optimizers import OPTIMIZERS
from fastmlp.engine.training import compile_for
from fastmlp.environment import environment
from fastmlp.errors import FastmlpError, MissingLibraryError
from fastmlp.files.json_safe import json_safe
from fastmlp.machine import available_processors
from fastmlp.model_inputs import standardised
from fastmlp.network import NeuralNetwork, Score
from fastmlp.sweep.plan import Setting, SweepPlan, best_of
from fastmlp.sweep.worker import Outcome, Task, new_net, train_setting

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset

__all__ = ["SCHEMA", "Sweep", "connected", "share"]

SCHEMA = 1
_SECONDS_TO_CONNECT = 10

Row = dict[str, Any]


def share(jobs: int | None, threads: int | None, settings: int, processors: int) -> tuple[int, int]:
    """Return how many nets are trained at a time, and the threads of each: together no more than `processors`.

    What is None is as many as there is room for; each net has at least one thread.

    >>> share(None, None, 9, 4), share(2, None, 9, 4), share(None, 2, 9, 4), share(None, None, 2, 4), share(8, 4, 9, 4)
    ((4, 1), (2, 2), (2, 2), (2, 2), (1, 4))
    """
    threads_of_one = min(threads or 1, processors)
    jobs = max(1, min(jobs or processors, settings, processors // threads_of_one))
    return jobs, threads_of_one if threads else processors // jobs


class Sweep:
    """A sweep over `data`: a part of each class of its training set is held back and decides, the test set is unseen.

    `jobs` nets are trained at a time on this machine, with so many `threads` each: see `share`. With a `client` of
    Dask, its workers train them instead, as many at a time as they have threads. Neither changes a bit of the result.
    Inputs in units of their own are standardised by the rows trained on, unless `standardise` is False.

    Raises InvalidValueError for a plan or data that cannot be used; MissingLibraryError where joblib is missing.
    """

    def __init__(
        self,
        plan: SweepPlan,
        data: Dataset,
        *,
        jobs: int | None = None,
        threads: int | None = None,
        client: Any = None,
        standardise: bool = True,
    ) -> None:
        self._joblib: Any = _load_joblib() if client is None else None
        self._cluster = None if client is None else Cluster(client)
        self.plan, self.rows = plan, dict[Setting, Row]()
        fraction = plan.recipe.validation_fraction
        assert fraction is not None
        rest, held = hold_back(data, fraction)
        if standardise:
            held = standardised(rest._replace(x_test=held[0]), None).x_test, held[1]
            rest = standardised(rest, None)
        self.data, self._validation = rest, held
        self._options = FitOptions.checked(
            plan.recipe.batch_size, plan.epochs, True, None, plan.recipe.schedule, plan.recipe.early_stopping
        )
        self._options.check(plan.epochs, validated=True)
        self.threads: int | None
        if self._cluster is None:
            self.jobs, self.threads = share(jobs, threads, len(plan.settings), available_processors())
        else:
            self.jobs, self.threads = sum(self._cluster.workers().values()), threads
        self._best_net: NeuralNetwork | None = None
        self._test: Score | None = None

    def run(self, on_row: Callable[[Row], None]) -> None:
        """Train all settings, call `on_row` with the row of each as it comes, and measure the best on the test set.

        What is there after Ctrl-C, which goes on to the caller, stays. Raises FastmlpError where joblib loses a worker,
        and where Dask's scheduler is lost; a setting at which Dask's workers die one after the other is a row.
        """
        options = self._options.for_samples(len(self.data.y_train))  # which warns, once
        if self._cluster is None and self.jobs > 1:
            self._compile(options)
        with self._outcomes() if self._cluster is None else closing(self._outcomes_of(self._cluster)) as outcomes:
            for row, net in outcomes:
                self.rows[Setting(row["hidden_size"], row["lr"])] = row
                if net is not None and row is best_of(self._in_order()):
                    self._best_net = net
                on_row(row)
        if self._best_net is not None:
            self._best_net.n_threads = None
            self._test = self._best_net.score(self.data.x_test, self.data.y_test)

    def results(self) -> dict[str, Any]:
        """Return what is there by now, as JSON takes it; `best` is None until the end."""
        plan, rows = self.plan, self._in_order()
        parameters = {
            "hidden_sizes": list(dict.fromkeys(plan.hidden_sizes)),
            "lrs": list(dict.fromkeys(plan.lrs)),
            "epochs": plan.epochs,
            "optimizer": next(name for name, kind in OPTIMIZERS.items() if kind is type(plan.optimizer)),
            **asdict(plan.optimizer),
            **plan.recipe.as_metadata(),
            "seed": plan.seed,
            "jobs": self.jobs,
            "threads": self.threads,
        }
        held = len(self._validation[1])
        data = {"name": self.data.name, "n_train": len(self.data.y_train), "n_validation": held}
        data |= {"n_test": len(self.data.y_test)}
        best = best_of(rows)
        if best is not None and self._test is not None:
            names = ("hidden_size", "lr", "val_accuracy", "val_loss")
            best = {name: best[name] for name in names}
            best |= {"test_accuracy": self._test.accuracy, "test_loss": self._test.loss}
        else:
            best = None
        safe: dict[str, Any] = json_safe(
            {
                "schema": SCHEMA,
                "kind": "sweep",
                "parameters": parameters,
                "environment": environment(),
                "data": data,
                "complete": len(rows) == len(plan.settings),
                "results": rows,
                "best": best,
            }
        )
        return safe

    def _in_order(self) -> list[Row]:
        return [self.rows[setting] for setting in self.plan.settings if setting in self.rows]

    def _tasks(self) -> list[Task]:
        return [Task(setting, self.plan, self.data.n_classes, self.threads) for setting in self.plan.settings]

    def _compile(self, options: FitOptions) -> None:
        """Compile all that the workers need, or see that it is on disk, from where they load it."""
        X, y = self.data.x_train, self.data.y_train
        seen = set()
        for task in self._tasks():
            if task.setting.hidden_size not in seen:
                seen.add(task.setting.hidden_size)
                net = new_net(task, X.shape[1])
                compile_for(net._trainee(), net._samples(X, y, None), options, net._samples(*self._validation, None))

    def _arrays(self) -> tuple[Any, ...]:
        return (self.data.x_train, self.data.y_train, *self._validation)

    def _outcomes_of(self, cluster: Cluster) -> Generator[Outcome, None, None]:
        """The outcomes of all settings, as the cluster has them; the data are sent to it once."""
        arrays, tasks = [cluster.submit(keep, array) for array in self._arrays()], self._tasks()
        futures = [cluster.submit(train_setting, *arrays, task) for task in tasks]
        for k, outcome in cluster.as_they_come(futures):
            failed = isinstance(outcome, FastmlpError)
            yield (tasks[k].setting._asdict() | {"error": str(outcome)}, None) if failed else outcome

    @contextmanager
    def _outcomes(self) -> Iterator[Iterator[Outcome]]:
        """The outcomes of all settings, as joblib has them; who stops before the end stops the workers."""
        where = {"backend": "loky", "inner_max_num_threads": self.threads}
        with self._joblib.parallel_config(**where), _kept_from_workers(signal.SIGINT):
            parallel = self._joblib.Parallel(n_jobs=self.jobs, batch_size=1, return_as="generator_unordered")
            outcomes = parallel(self._joblib.delayed(train_setting)(*self._arrays(), task) for task in self._tasks())
        try:
            yield outcomes
        except BrokenExecutor as error:
            raise FastmlpError(
                "a process that trained a net was killed, as the system does where memory runs out: "
                "train fewer nets at a time"
            ) from error
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that some settings were not trained
                outcomes.close()


@contextmanager
def _kept_from_workers(number: signal.Signals) -> Iterator[None]:
    """Let processes that are started meanwhile never get this signal; it reaches this one a moment later.

    A terminal sends Ctrl-C to all of them, and this process alone is to answer it.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def connected(scheduler: str | None) -> Iterator[Any]:
    """A client of the Dask scheduler at an address, tcp://10.0.0.5:8786 for example; None where there is no address.

    Raises MissingLibraryError where `distributed` is missing, FastmlpError where no scheduler answers there.
    """
    if scheduler is None:
        yield None
        return
    try:
        import distributed
    except ImportError:
        raise MissingLibraryError("a Dask scheduler needs distributed: pip install 'fastmlp[dask]'") from None
    try:
        client = distributed.Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:  # ValueError: it is no address
        raise FastmlpError(f"no Dask scheduler answers at {scheduler}: {error}") from None
    with client:
        yield client


def _load_joblib() -> Any:
    try:
        import joblib
    except ImportError:
        raise MissingLibraryError("a sweep needs joblib: pip install 'fastmlp[sklearn]'") from None
    return joblib
