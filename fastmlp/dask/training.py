"""`fit` on a cluster: local SGD, the nets of the shards averaged after each epoch."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from fastmlp.arrays import Int64Array, all_finite
from fastmlp.dask.cluster import Cluster
from fastmlp.dask.shards import Average, divide
from fastmlp.dask.worker import Shard, Trained, as_part, keep, train_shard
from fastmlp.engine.class_weights import check_class_weight, weights_by_class
from fastmlp.engine.fit_options import FitOptions, FitSettings
from fastmlp.engine.history import History
from fastmlp.engine.inference import Score
from fastmlp.engine.meaning import check_part_names
from fastmlp.engine.part_reader import count_labels, mean_of_parts
from fastmlp.engine.parts import Parts
from fastmlp.engine.settings import check_integer
from fastmlp.engine.stopwatch import Stopwatch
from fastmlp.engine.training import fit as fit_weights
from fastmlp.engine.watching import Watched
from fastmlp.errors import DataError, DivergenceError, InvalidTypeError, InvalidValueError
from fastmlp.files.atomic import check_writable
from fastmlp.network import NeuralNetwork

__all__ = ["fit"]


def fit(
    client: Any,
    net: NeuralNetwork,
    parts: Parts | Sequence[Any],
    batch_size: int = 128,
    number_epochs: int = 20,
    *,
    shards: int | None = None,
    path: str | os.PathLike[str] | None = None,
    **settings: Unpack[FitSettings],
) -> History:
    """Train a net on a Dask cluster; a second call continues.

    The parts are divided into shards. In each epoch every shard is trained on by itself, by one worker, beginning with
    the same net; then the net is the mean of what came of them, each counted by its samples, or by their weights. After
    any error, and after Ctrl-C, the net is the mean after the last full epoch.

    Parameters
    ----------
    client
        A `distributed.Client`.
    net
        The net; `net.lr` is used as it is.
    parts
        `Parts`, whose files each worker can read, or a list of futures of pairs (X, Y).
    batch_size, number_epochs
        As for `NeuralNetwork.fit`.
    shards
        How many; by default as many as there are workers.
    path
        Model file to which the net is saved after each epoch, and at the end.
    **settings
        Those of `NeuralNetwork.fit`, but for `sample_weight`; `validation` is measured here, on the mean.

    Returns
    -------
    History
        As of `NeuralNetwork.fit`.

    Raises
    ------
    ValueError, TypeError, DivergenceError
        As `NeuralNetwork.fit` does.
    MissingLibraryError
        Without distributed.
    FastmlpError
        Where workers lack fastmlp or die again and again at the same shard, and where the scheduler is lost.

    Notes
    -----
    That is local SGD with one average per epoch (Stich 2019, "Local SGD converges fast and communicates little";
    McMahan et al. 2017, "Communication-efficient learning of deep networks from decentralized data"). What the
    optimiser remembers is averaged alike (Yu, Jin and Yang 2019, "On the linear speedup analysis of communication
    efficient momentum SGD"); of its steps, the most that a shard took count.

    A net takes 1/S of the steps of one machine where there are S shards. It is as good with S times the learning rate,
    as long as a net bears that, for 8 shards on MNIST (`docs/dask.md` has the measurements).

    The result depends on the parts, their order, the net and the number of shards, to the bit, not on the workers: one
    that dies is replaced, and its shard begins the epoch again. The net's generator draws a seed for each shard but the
    first, which goes on with that generator: one shard is trained on as `net.fit(parts)` does. A worker's kernels use
    as many threads as Dask says that it has.
    """
    if not isinstance(net, NeuralNetwork):
        raise InvalidTypeError(f"net is of type {type(net).__name__}; it must be a NeuralNetwork")
    options = FitOptions.of(batch_size, number_epochs, settings)
    if shards is not None:
        shards = check_integer("shards", shards)
    if settings.get("sample_weight") is not None:
        raise InvalidValueError("sample_weight is given beside parts, which hold their labels: leave it out")
    if path is not None:
        check_writable(Path(path), force=True)
        options = dataclasses.replace(options, callback=_saving(net, path, options))
    names = net.feature_names
    if isinstance(parts, Parts):
        check_part_names(parts, names)
        names = names or parts.feature_names
    cluster = Cluster(client)
    divided = _Shards(cluster, net, parts, shards, settings.get("class_weight"))
    history = History()
    try:
        with Watched(settings.get("callback"), options.number_epochs, divided.n_samples):
            measure = net._measure(settings, names)
            net._feature_names = names
            return fit_weights(net._trainee(), divided, options, measure, history)
    finally:
        if path is not None and history.loss:
            net.save(path)  # with early stopping, the best


def _saving(net: NeuralNetwork, path: str | os.PathLike[str], options: FitOptions) -> Callable[[int, History], Any]:
    """The callback of the options, and before it the net is saved."""

    def callback(epoch: int, history: History) -> Any:
        net.save(path)
        return None if options.callback is None else options.callback(epoch, history)

    return callback


class _Shards:
    """The parts on the cluster, shard by shard, for a net to be trained on them: what `fit` takes for samples."""

    def __init__(
        self,
        cluster: Cluster,
        net: NeuralNetwork,
        parts: Parts | Sequence[Any],
        shards: int | None,
        class_weight: Any,
    ) -> None:
        self._cluster, self._net = cluster, net
        checked = check_class_weight(class_weight, net.output_size)
        sent = self._on_cluster(parts)
        n_shards = _number_of_shards(shards, len(sent), len(cluster.workers()))
        labels = [cluster.submit(count_labels, part, net.output_size) for part in sent]
        counts: Int64Array = np.stack(list(cluster.results(labels)))
        rows = counts.sum(axis=1)
        self.largest, self.n_samples = int(rows.max()), int(rows.sum())
        weights = None if checked is None else weights_by_class(checked, counts.sum(axis=0)).astype(np.float32)
        self._shards, self._held = list[Shard](), list[Any]()
        self._homes = cluster.homes([None] * n_shards)
        for s, (chosen, home) in enumerate(zip(divide(rows.tolist(), n_shards), self._homes, strict=True)):
            shard = Shard(s + 1, n_shards, counts[chosen], weights)
            if not shard.mass:
                what = f"the classes of all samples of shard {shard.number} of {n_shards}"
                raise DataError(f"class_weight is 0 for {what}: take fewer shards")
            self._shards.append(shard)
            self._held.append(cluster.submit(keep, [sent[k] for k in chosen], home=home))

    def _on_cluster(self, parts: Parts | Sequence[Any]) -> list[Any]:
        """A future of each part, as the workers take it."""
        if isinstance(parts, Parts):
            return [self._cluster.submit(keep, part) for part in parts.parts]
        if not isinstance(parts, (list, tuple)) or not all(map(self._cluster.is_future, parts)):
            kind = type(parts).__name__
            raise InvalidTypeError(f"parts is of type {kind}; it must be Parts, or a list of futures of pairs (X, Y)")
        if not parts:
            raise InvalidValueError("there are no parts: give one or more")
        return [self._cluster.submit(as_part, future, f"part {k} (from 0)") for k, future in enumerate(parts)]

    def train(self, options: FitOptions, lr: float, watch: Stopwatch, interrupted: Callable[[], bool]) -> Score:
        """Have each shard trained once, and the net the mean of what came of it; return mean loss and accuracy."""
        net, cluster, n_shards = self._net, self._cluster, len(self._shards)
        options = dataclasses.replace(options, callback=None, schedule=None, early_stopping=None)
        seeds = [None, *net._rng.integers(2**63, size=n_shards - 1).tolist()]
        self._homes = cluster.homes(self._homes)
        tasks = max(self._homes.count(home) for home in self._homes)
        sent = cluster.submit(keep, copy.copy(net))
        trained = [
            cluster.submit(train_shard, sent, held, shard, options, lr, seed, tasks, home=home)
            for held, shard, seed, home in zip(self._held, self._shards, seeds, self._homes, strict=True)
        ]
        average, seen, total = Average(), list[Trained](), sum(shard.mass for shard in self._shards)
        for each, shard in zip(cluster.results(trained, interrupted), self._shards, strict=True):
            average.add(each.arrays, shard.mass / total)
            seen.append(each._replace(arrays={}))
        watch.seconds["compile"] += max(each.compile_seconds for each in seen)
        arrays = average.arrays()
        if not all(map(all_finite, arrays.values())):
            raise DivergenceError(f"the optimiser's moments are not finite at learning rate {lr:g}; try a smaller lr")
        for name in net._weights.shapes:
            net._weights[name] = arrays[name]
        net._optimizer_state.load(arrays)
        net._optimizer_state.steps = max(each.steps for each in seen)
        net._rng.bit_generator.state = seen[0].random_state
        return mean_of_parts([(each.score, shard.mass) for each, shard in zip(seen, self._shards, strict=True)])


def _number_of_shards(shards: int | None, parts: int, workers: int) -> int:
    if shards is None:
        return max(1, min(workers, parts))
    if shards > parts:
        raise InvalidValueError(f"shards is {shards}, and there are {parts} parts: a shard has one or more")
    return shards
