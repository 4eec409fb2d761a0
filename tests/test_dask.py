"""`fastmlp.dask.fit`: the stated rule to the bit, whoever trains which shard, and nothing lost where one fails."""

import os
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from fastmlp import SGD, Adam, DataError, DivergenceError, Momentum, NeuralNetwork, Parts, ProgressBar
from fastmlp.dask import cluster as cluster_module
from fastmlp.dask import fit
from fastmlp.dask.shards import Average, divide
from fastmlp.dask.worker import _threads
from fastmlp.errors import FastmlpError, InvalidTypeError, InvalidValueError

ROOT = Path(__file__).parents[1]
PARAMETERS = ("W1", "b1", "W2", "b2")
HISTORY = ("loss", "accuracy", "val_loss", "val_accuracy", "lr")
OPTIMIZERS = [SGD(), Momentum(l2=0.01), Adam()]


def samples(n=90, D=7, C=3):
    rng = np.random.default_rng(0)
    return rng.random((n, D), np.float32), rng.integers(0, C, n)


def net_of(seed=1, **settings):
    return NeuralNetwork(5, input_size=7, output_size=3, seed=seed, **settings)


def parts_of(rows):
    return Parts.of_arrays(*samples(), rows)


def local_cluster(n_workers):
    distributed = pytest.importorskip("distributed")
    settings = {"processes": False, "threads_per_worker": 1, "dashboard_address": ":0"}
    return distributed.LocalCluster(n_workers=n_workers, **settings)


@pytest.fixture(scope="module")
def client():
    """A client of two workers in this process."""
    with local_cluster(2) as cluster, cluster.get_client() as client:
        yield client


def state_of(net):
    arrays = {name: getattr(net, name) for name in PARAMETERS} | net._optimizer_state.arrays()
    return arrays, net._optimizer_state.steps, net._rng.bit_generator.state


def assert_same(a, b):
    (arrays, *rest), (others, *other_rest) = state_of(a), state_of(b)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array.view(np.uint32), others[name].view(np.uint32), err_msg=name)
    assert rest == other_rest


def assert_same_history(a, b):
    assert [getattr(a, name) for name in HISTORY] == [getattr(b, name) for name in HISTORY]


@pytest.mark.parametrize("rows", [90, 20])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_one_shard_is_fit(client, optimizer, rows):
    here, there = net_of(optimizer=optimizer), net_of(optimizer=optimizer)
    X, Y = samples()
    options = {"batch_size": 16, "number_epochs": 3, "class_weight": {1: 2.5}, "schedule": "cosine"}
    options["validation"] = (X[:20], Y[:20])
    expected = here.fit(parts_of(rows), **options)
    history = fit(client, there, parts_of(rows), shards=1, **options)
    assert_same(here, there)
    assert_same_history(expected, history)
    assert len(history.seconds) == 3


def simulated(net, parts, shards, epochs, lr, class_weight=None):
    """The rule, in words of `NeuralNetwork.fit`: the mean of nets that are fitted to the shards one by one."""
    losses, labels = [], [part.labels() for part in parts.parts]
    weight = np.ones(3)
    if class_weight:
        weight[list(class_weight)] = list(class_weight.values())
    for _ in range(epochs):
        seeds = net._rng.integers(2**63, size=len(shards) - 1).tolist()
        trained, masses, loss = [], [], []
        for s, shard in enumerate(shards):
            one = NeuralNetwork.__new__(NeuralNetwork)
            one.__dict__ = net.__getstate__()
            if s:
                one._rng = np.random.default_rng(seeds[s - 1])
            one.lr = lr
            some = Parts([parts.parts[k] for k in shard])
            loss.append(one.fit(some, batch_size=8, number_epochs=1, class_weight=class_weight).loss[0])
            masses.append(sum(weight[labels[k]].sum() for k in shard))
            trained.append(state_of(one))
        shares = [mass / sum(masses) for mass in masses]
        for name in trained[0][0]:
            mean = sum(share * each[0][name].astype(np.float64) for share, each in zip(shares, trained, strict=True))
            if name in PARAMETERS:
                setattr(net, name, mean.astype(np.float32))
            else:
                moment, _, array = name.partition("_")
                net._optimizer_state._moments[moment][array] = mean.astype(np.float32)
        net._optimizer_state.steps = max(each[1] for each in trained)
        net._rng.bit_generator.state = trained[0][2]
        losses.append(sum(share * each for share, each in zip(shares, loss, strict=True)))
    return losses


@pytest.mark.parametrize("class_weight", [None, {0: 0.0, 2: 3.0}])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_several_shards_are_averaged_as_stated(client, optimizer, class_weight):
    here, there = net_of(optimizer=optimizer), net_of(optimizer=optimizer)
    parts = parts_of(17)  # five parts, and one of five rows
    losses = simulated(here, parts, [[0, 3], [1, 4], [2, 5]], 3, 0.2, class_weight)
    there.lr = 0.2
    history = fit(client, there, parts, 8, 3, shards=3, class_weight=class_weight)
    assert_same(here, there)
    assert history.loss == pytest.approx(losses, rel=1e-12)


def test_neither_workers_nor_the_form_of_the_parts_change_a_bit(client):
    pairs = futures_of(client, *samples())
    nets = [net_of(optimizer=Momentum()) for _ in range(4)]
    histories = [fit(client, net, parts_of(20), 8, 3, shards=4) for net in nets[:2]]
    histories.append(fit(client, nets[2], pairs, 8, 3, shards=4))
    with local_cluster(1) as cluster, cluster.get_client() as lonely:
        histories.append(fit(lonely, nets[3], parts_of(20), 8, 3, shards=4))
    for net, history in zip(nets[1:], histories[1:], strict=True):
        assert_same(net, nets[0])
        assert_same_history(history, histories[0])


def test_sparse_parts_give_the_bits_of_dense_ones(client):
    sparse = pytest.importorskip("scipy.sparse")
    X, Y = samples()
    X[X < 0.8] = 0
    nets = [net_of() for _ in range(2)]
    for net, inputs in zip(nets, (X, sparse.csr_array(X)), strict=True):
        fit(
            client,
            net,
            Parts.of_arrays(inputs, Y, 20) if inputs is X else futures_of(client, inputs, Y),
            8,
            2,
            shards=3,
        )
    assert_same(*nets)


def futures_of(client, X, Y):
    return [client.submit(lambda k: (X[20 * k : 20 * k + 20], Y[20 * k : 20 * k + 20]), k) for k in range(5)]


def test_there_are_as_many_shards_as_workers(client):
    two, given = net_of(), net_of()
    fit(client, two, parts_of(10), 8, 1)
    fit(client, given, parts_of(10), 8, 1, shards=2)
    assert_same(two, given)
    one, part = net_of(), net_of()
    fit(client, one, parts_of(90), 8, 1)  # of one part
    part.fit(parts_of(90), batch_size=8, number_epochs=1)
    assert_same(one, part)


def test_training_goes_on_as_if_it_had_not_ended(client):
    once, twice = net_of(optimizer=Adam()), net_of(optimizer=Adam())
    fit(client, once, parts_of(20), 8, 4, shards=2)
    fit(client, twice, parts_of(20), 8, 1, shards=2)
    fit(client, twice, parts_of(20), 8, 3, shards=2)
    assert_same(once, twice)


@pytest.mark.parametrize("saved", [False, True])
def test_progress_is_shown(client, tmp_path, capsys, saved):
    path = tmp_path / "net.npz" if saved else None
    fit(client, net_of(), parts_of(20), 8, 2, shards=2, callback=ProgressBar(), path=path)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("samples/s" in line for line in lines)


def test_callback_early_stopping_and_file(client, tmp_path):
    X, Y = samples()
    net, path, seen = net_of(lr=3.0), tmp_path / "net.npz", []

    def callback(epoch, history):
        seen.append((epoch, len(history.loss)))
        assert_same(NeuralNetwork.load(path), net)

    stopping = {"early_stopping": True, "validation": (X[:9], Y[:9]), "callback": callback, "path": path}
    history = fit(client, net, parts_of(20), 8, 13, shards=3, **stopping)
    assert seen == [(k, k) for k in range(1, len(history.loss) + 1)]
    assert history.val_loss[history.best_epoch - 1] == min(history.val_loss)
    assert net.score(X[:9], Y[:9]).loss == min(history.val_loss)
    assert_same(NeuralNetwork.load(path), net)
    assert fit(client, net, parts_of(20), 8, 9, shards=3, callback=lambda epoch, history: epoch == 2).loss[2:] == []


class Faulty:
    """A part with a fault from its second reading on; parts are read in the process of the workers, once an epoch."""

    name = "b.npz"

    def __init__(self, fault):
        self.fault, self.left = fault, 1

    def labels(self):
        return samples(20)[1]

    def read(self):
        self.left -= 1
        X, Y = samples(20)
        return (X, Y) if self.left >= 0 else self.fault(X, Y)


def raises(error):
    def fault(X, Y):
        raise error

    return fault


def interrupts(X, Y):
    signal.raise_signal(signal.SIGINT)
    time.sleep(1)
    return X, Y


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (raises(OSError("the disk is gone")), DataError, "^b.npz cannot be read: the disk is gone"),
        (lambda X, Y: (np.where(X > 0.9, np.nan, X), Y), InvalidValueError, "^b.npz: X holds .* NaN"),
        (lambda X, Y: (X[:, :3], Y), InvalidValueError, "^b.npz: X has 3 columns; this net has input_size=7"),
        (lambda X, Y: (X, Y[::-1] * 0), DataError, "^b.npz has other labels than when the training began"),
        (
            lambda X, Y: (X * np.float32(1e30), Y),
            DivergenceError,
            "^training diverged in epoch 2: in shard 2 of 2: the mean loss is .* at learning rate 0.1; try a smaller",
        ),
        (raises(MemoryError()), DataError, "^b.npz is too large for the memory of this machine"),
        (raises(ZeroDivisionError("of his own")), ZeroDivisionError, "of his own"),
        (interrupts, KeyboardInterrupt, None),
    ],
    ids=["disk", "NaN", "columns", "labels", "divergence", "memory", "own", "ctrl-c"],
)
def test_what_goes_wrong_in_an_epoch_leaves_the_average_before_it(client, tmp_path, fault, error, message):
    before, net, path = net_of(), net_of(), tmp_path / "net.npz"
    parts = Parts([parts_of(20).parts[0], Faulty(lambda X, Y: (X, Y))])
    fit(client, before, parts, 8, 1, shards=2)
    seen = []
    start = time.perf_counter()
    parts = Parts([parts.parts[0], Faulty(fault)])
    with pytest.raises(error, match=message):
        fit(client, net, parts, 8, 3, shards=2, path=path, callback=lambda epoch, history: seen.append(history))
    assert time.perf_counter() - start < 5
    assert len(seen[-1].loss) == len(seen[-1].seconds) == 1
    assert_same(net, before)
    assert_same(NeuralNetwork.load(path), before)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda client, net: fit(client, net, parts_of(20), shards=9),
            InvalidValueError,
            "shards is 9, and there are 5",
        ),
        (lambda client, net: fit(client, net, parts_of(20), shards=0), InvalidValueError, "shards is 0"),
        (lambda client, net: fit(client, net, samples()), InvalidTypeError, "it must be Parts, or a list of futures"),
        (lambda client, net: fit(client, net, []), InvalidValueError, "there are no parts"),
        (lambda client, net: fit(client, net, parts_of(20), sample_weight=[1]), InvalidValueError, "sample_weight is"),
        (lambda client, net: fit(client, net, parts_of(20), epochs=1), TypeError, "keyword argument 'epochs'"),
        (lambda client, net: fit("tcp://1.2.3.4:5", net, parts_of(20)), InvalidTypeError, "client is 'tcp"),
        (lambda client, net: fit(client, net.W1, parts_of(20)), InvalidTypeError, "net is of type ndarray"),
        (lambda client, net: fit(client, net, parts_of(20), class_weight={9: 1}), InvalidValueError, "the label 9"),
        (lambda client, net: fit(client, net, parts_of(20), early_stopping=True), InvalidValueError, "give validation"),
        (lambda client, net: fit(client, net, parts_of(20), path="no/such/net.npz"), OSError, "no/such does not exist"),
        (
            lambda client, net: fit(client, net, parts_of(20), class_weight=dict.fromkeys(range(3), 0)),
            DataError,
            "class_weight is 0 for the classes of all samples of shard 1 of 2: take fewer shards",
        ),
        (lambda client, net: fit(client, net, [client.submit(int)]), InvalidTypeError, "part 0 .* is of type int"),
        (
            lambda client, net: fit(client, net, [client.submit(lambda: (np.ones((2, 7)), [0, 3]))]),
            InvalidValueError,
            r"part 0 \(from 0\): Y has the label 3",
        ),
        (
            lambda client, net: fit(client, net, [client.submit(lambda: (np.ones((2, 7)), [0]))], 1),
            InvalidValueError,
            r"part 0 \(from 0\): Y has 1 labels for 2",
        ),
    ],
)
def test_what_is_refused(client, call, kind, message):
    net = net_of()
    with pytest.raises(kind, match=message):
        call(client, net)
    assert_same(net, net_of())


def test_columns_must_agree(client):
    net = net_of()
    net.feature_names = list("abcdefg")
    with pytest.raises(InvalidValueError, match=r"parts have the columns .* and this net"):
        fit(client, net, Parts(parts_of(20).parts, feature_names=list("gfedcba")))
    taken = net_of()
    fit(client, taken, Parts(parts_of(20).parts, feature_names=list("gfedcba")), 8, 1)
    assert taken.feature_names == tuple("gfedcba")


def test_another_version_on_a_worker_is_told(client, monkeypatch):
    monkeypatch.setattr(cluster_module, "__version__", "9.9")
    with pytest.raises(FastmlpError, match=r"the Dask worker \S+ has fastmlp \S+: install fastmlp 9.9 there"):
        fit(client, net_of(), parts_of(20))


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(FastmlpError, match=r"fastmlp.dask needs distributed: pip install 'fastmlp\[dask\]'"):
        fit(None, net_of(), parts_of(20))


def test_a_lost_scheduler_is_told_and_the_average_is_kept(tmp_path):
    path, net = tmp_path / "net.npz", net_of()
    dask = pytest.importorskip("dask")
    soon = dask.config.set({"distributed.comm.timeouts.connect": "1s"})  # for which the cluster waits at its end
    with soon, local_cluster(2) as cluster, cluster.get_client() as client:
        before = net_of()
        fit(client, before, parts_of(20), 8, 2)

        def lose(epoch, history):
            if epoch == 2:
                cluster.sync(cluster.scheduler.close)

        with pytest.raises(FastmlpError, match="the connection to the Dask scheduler is lost"):
            fit(client, net, parts_of(20), 8, 5, callback=lose, path=path)
        with pytest.raises(FastmlpError, match="the connection to the Dask scheduler is lost"):
            fit(client, net, parts_of(20), 8, 5)
    assert_same(net, before)
    assert_same(NeuralNetwork.load(path), before)


def test_without_a_worker_it_waits_for_a_while(monkeypatch):
    monkeypatch.setattr(cluster_module, "_PATIENCE", 0.3)
    monkeypatch.setattr(cluster_module, "_LOOK", 0.1)
    net, before = net_of(), net_of()
    with local_cluster(1) as cluster, cluster.get_client() as client:
        fit(client, before, parts_of(20), 8, 1, shards=2)

        def dismiss(epoch, history):
            cluster.scale(0)
            while client.nthreads():
                time.sleep(0.05)

        with pytest.raises(FastmlpError, match=r"the Dask cluster has had no worker for .* seconds: start some"):
            fit(client, net, parts_of(20), 8, 5, shards=2, callback=dismiss)
    assert_same(net, before)


# --- Processes that die -----------------------------------------------------------------------------------------------

PROGRAM = """
import os, re, signal, sys, time
from pathlib import Path
import dask
import numpy as np
from distributed import Client, LocalCluster
from fastmlp import Momentum, NeuralNetwork, Parts
from fastmlp.dask import fit
from fastmlp.errors import FastmlpError

FLAG = Path(sys.argv[2])


class Part:
    # Whoever trains on it, the fourth time that it is read, is killed, as often as it says.

    def __init__(self, name, X, Y, deaths):
        self.name, self.X, self.Y, self.deaths = name, X, Y, deaths

    def labels(self):
        return self.Y

    def read(self):
        if self.deaths:
            with FLAG.open("a") as file:
                file.write(".")
            n = FLAG.stat().st_size
            if 3 < n <= 3 + self.deaths:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.X, self.Y


def parts(deaths):
    rng = np.random.default_rng(0)
    X, Y = rng.random((90, 7), np.float32), rng.integers(0, 3, 90)
    ends = range(0, 90, 15)
    return [Part(f"part {a}", X[a:a + 15], Y[a:a + 15], deaths if a == 45 else 0) for a in ends]


def net_of():
    return NeuralNetwork(5, input_size=7, output_size=3, seed=1, optimizer=Momentum())


def same(a, b):
    states = [{name: getattr(net, name) for name in ("W1", "b1", "W2", "b2")} | net._optimizer_state.arrays()
              for net in (a, b)]
    assert a._rng.bit_generator.state == b._rng.bit_generator.state
    return all(np.array_equal(array, states[1][name]) for name, array in states[0].items())


def told(call):
    try:
        call()
    except FastmlpError as error:
        return str(error)
    raise AssertionError("no error")


def one_death(cluster, client):
    disturbed, undisturbed = net_of(), net_of()
    before = set(client.nthreads())
    fit(client, disturbed, Parts(parts(deaths=1)), 8, 6, shards=4)
    assert FLAG.stat().st_size == 7, "six epochs, and one time more"
    assert set(client.nthreads()) != before
    fit(client, undisturbed, Parts(parts(deaths=0)), 8, 6, shards=4)
    assert same(disturbed, undisturbed)


def many_deaths(cluster, client):
    net, before = net_of(), net_of()
    message = told(lambda: fit(client, net, Parts(parts(deaths=99)), 8, 6, shards=2))
    assert message.startswith("4 Dask workers died one after the other at the same task"), message
    client.wait_for_workers(1)
    fit(client, before, Parts(parts(deaths=0)), 8, 3, shards=2)
    assert same(net, before)


def lost_data(cluster, client):
    net, before = net_of(), net_of()
    pairs = client.scatter([(part.X, part.Y) for part in parts(0)])
    history = []

    def kill(epoch, so_far):
        history[:] = so_far.loss
        for pid in client.run(os.getpid).values():
            os.kill(pid, signal.SIGKILL)

    message = told(lambda: fit(client, net, pairs, 8, 6, shards=2, callback=kill))
    assert message.startswith("data in the memory of a Dask worker is lost"), message
    client.wait_for_workers(1)
    fit(client, before, Parts(parts(deaths=0)), 8, len(history), shards=2)
    assert same(net, before)


def futures_again(cluster, client):
    net, undisturbed = net_of(), net_of()
    pairs = [client.submit(part.read) for part in parts(0)]

    def kill(epoch, so_far):
        if epoch == 2:
            for pid in client.run(os.getpid).values():
                os.kill(pid, signal.SIGKILL)

    fit(client, net, pairs, 8, 4, shards=2, callback=kill)
    fit(client, undisturbed, Parts(parts(deaths=0)), 8, 4, shards=2)
    assert same(net, undisturbed)


def without_fastmlp(cluster, client):
    hide = Path("hide.py")
    hide.write_text("import sys; sys.modules['fastmlp'] = None")
    with dask.config.set({"distributed.worker.preload": [str(hide.resolve())]}):
        cluster.scale(3)
        client.wait_for_workers(3)
    message = told(lambda: fit(client, net_of(), Parts(parts(0)), 8, 6, shards=2))
    assert re.match(r"the Dask worker \\S+ lacks fastmlp: install fastmlp \\S+ there", message), message


if __name__ == "__main__":
    dask.config.set({"distributed.deploy.lost-worker-timeout": "5 minutes"})  # to start one again takes long under load
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        globals()[sys.argv[1]](cluster, client)
"""


@pytest.mark.long  # starts processes, and others in place of those that were killed
@pytest.mark.parametrize("what", ["one_death", "many_deaths", "lost_data", "futures_again", "without_fastmlp"])
def test_workers_that_die(tmp_path, what):
    pytest.importorskip("distributed")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    args = [sys.executable, program, what, tmp_path / "flag"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(args, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


START = """
import sys

hidden = sys.argv.pop(1)


class Hide:
    def find_spec(self, name, *args):
        if name == hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hide())
from distributed.cli.dask_scheduler import main

main()
"""

SCHEDULER = """
import os, signal, socket, subprocess, sys
import numpy as np
from distributed import Client
from fastmlp import NeuralNetwork, Parts
from fastmlp.dask import fit
from fastmlp.errors import FastmlpError

with socket.create_server(("127.0.0.1", 0)) as server:
    port = server.getsockname()[1]
address = f"tcp://127.0.0.1:{port}"
scheduler = [sys.executable, "start.py", sys.argv[1], "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
worker = [sys.executable, "-m", "distributed.cli.dask_worker", address]
worker += ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
processes = [subprocess.Popen(command) for command in (scheduler, worker)]
try:
    client = Client(address, timeout=120)
    client.wait_for_workers(1)
    rng = np.random.default_rng(0)
    parts = Parts.of_arrays(rng.random((90, 7), np.float32), rng.integers(0, 3, 90), 30)
    net = NeuralNetwork(5, input_size=7, output_size=3, seed=1)
    try:
        fit(client, net, parts, 8, 4, path="net.npz", callback=lambda epoch, _: epoch == 2 and processes[0].kill())
    except FastmlpError as error:
        print(error)
    if os.path.exists("net.npz"):
        assert (NeuralNetwork.load("net.npz").W1 == net.W1).all()
        again = NeuralNetwork(5, input_size=7, output_size=3, seed=1)
        again.fit(parts, batch_size=8, number_epochs=2)
        assert (again.W1 == net.W1).all()
    client.close(timeout=2)
finally:
    for process in processes:
        process.kill()
        process.wait()
"""


@pytest.mark.long  # starts processes
@pytest.mark.parametrize(
    ("hidden", "says"),
    [
        ("", "the connection to the Dask scheduler is lost: what was finished before that is kept\n"),
        ("fastmlp", "the Dask scheduler lacks fastmlp: install fastmlp "),
    ],
)
def test_a_scheduler_that_is_killed_and_one_without_fastmlp(tmp_path, hidden, says):
    pytest.importorskip("distributed")
    program = tmp_path / "program.py"
    program.write_text(SCHEDULER, encoding="utf-8")
    (tmp_path / "start.py").write_text(START, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    args = [sys.executable, program, hidden]
    done = subprocess.run(args, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(says), done.stdout + done.stderr
    assert (tmp_path / "net.npz").exists() == (not hidden)


# --- Shards and means -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_parts_are_divided_evenly_and_each_is_in_one_shard(n):
    rows = np.random.default_rng(n).integers(1, 100, 20).tolist()
    shards = divide(rows, n)
    assert sorted(chain.from_iterable(shards)) == list(range(20))
    assert all(shard == sorted(shard) and shard for shard in shards)
    sizes = [sum(rows[k] for k in shard) for shard in shards]
    assert max(sizes) - min(sizes) <= max(rows)
    assert divide(rows, n) == shards


@pytest.mark.parametrize("value", [-0.0, 1e-45, -3.4e38, 1 / 3])
def test_the_mean_of_one_is_that_one(value):
    average = Average()
    average.add({"a": np.float32([value])}, 1.0)
    assert average.arrays()["a"].tobytes() == np.float32([value]).tobytes()


def test_homes_stay_and_those_of_the_dead_are_shared_out(client):
    cluster = cluster_module.Cluster(client)
    a, b = cluster.workers()
    assert cluster.homes([None] * 4) == [a, b, a, b]
    assert cluster.homes([b, b, b, "tcp://dead:1"]) == [b, b, b, a]
    assert cluster.homes(["tcp://dead:1", b]) == [a, b]


def test_a_part_of_an_array_is_sent_without_the_others():
    import pickle

    X, Y = np.zeros((10_000, 10)), np.zeros(10_000, int)
    sent = pickle.dumps(Parts.of_arrays(X, Y, 10).parts[3])
    assert len(sent) < 5000
    part = pickle.loads(sent)
    assert part.name == "rows 30 to 39"
    np.testing.assert_array_equal(part.read()[0], X[30:40])
    assert len(part.labels()) == 10


@pytest.mark.parametrize(
    ("threads", "tasks", "each"), [(1, 1, 1), (4, 1, 4), (4, 2, 2), (4, 3, 1), (4, 9, 1), (2, 1, 2)]
)
def test_a_worker_uses_its_own_threads(monkeypatch, threads, tasks, each):
    distributed = pytest.importorskip("distributed")
    worker = type("Worker", (), {"state": type("State", (), {"nthreads": threads})})
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    monkeypatch.setattr("fastmlp.dask.worker.available_processors", lambda: 8)
    assert _threads(tasks) == each
