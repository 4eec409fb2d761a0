"""The results of a comparison that nobody ran: what tests of results, of their file and of the report start from."""

from fastmlp.comparison.results import add_spread, make_row


def run_of(seconds, parity_loss=0.5, repeat=0):
    """What a run of two epochs tells, `seconds` each."""
    return {
        "repeat": repeat,
        "import_seconds": 1.0,
        "compile_seconds": 2.0,
        "train_seconds": 2 * seconds,
        "peak_memory_bytes": 300_000_000,
        "test_accuracy": 0.971,
        "test_loss": 0.11,
        "train_accuracy": 0.98,
        "train_loss": 0.09,
        "parity_loss": parity_loss,
        "score_seconds": {"one": 0.0001, "all": 0.02},
        "history": {
            "loss": [0.5, 0.2],
            "accuracy": [0.9, 0.96],
            "seconds": [seconds, seconds],
            "val_accuracy": [0.951, 0.971],
            "val_loss": [0.2, 0.11],
        },
    }


def four_nets():
    """Four nets at two sizes: ours, one twice as slow, one that computes something else, one that fails."""
    rows = []
    for size, seconds in ((30, 0.1), (300, 1.0)):
        rounds = [
            {
                "fastmlp": run_of(slow * seconds, repeat=repeat),
                "numpy": run_of(2 * slow * seconds * jitter, repeat=repeat),
                "jax": run_of(0.5 * seconds, parity_loss=0.6, repeat=repeat),
            }
            for repeat, (slow, jitter) in enumerate(((1.0, 1.0), (3.0, 1.1), (1.0, 0.9)))
        ]
        for net in ("fastmlp", "numpy", "jax"):
            row = make_row(net, 0.5, [runs[net] for runs in rounds], rounds)
            rows.append({"net": net, "hidden_size": size, "dataset": "tiny"} | row)
        rows.append({"net": "torch", "hidden_size": size, "dataset": "tiny", "error": "RuntimeError: no [paper] | ink"})
    add_spread(rows)
    return {
        "schema": 2,
        "kind": "comparison",
        "parameters": {
            "hidden_sizes": [30, 300],
            "nets": ["fastmlp", "numpy", "jax", "torch"],
            "epochs": 2,
            "batch_size": 128,
            "lr": 0.1,
            "optimizer": "sgd",
            "repeats": 3,
            "threads": 2,
            "dataset": "tiny.npz",
            "seed": 0,
        },
        "environment": {"peak_gflops": 100.0, "cpu": "<znver3>", "python": "3.11", "platform": "Linux"},
        "rounds": {"planned": 6, "run": 7, "disturbed": 1, "probe_gflops": [100.0] * 7},
        "complete": True,
        "data": {
            "name": "tiny",
            "n_train": 60000,
            "n_test": 100,
            "nonzeros": 9_000_000,
            "input_size": 784,
            "output_size": 10,
        },
        "results": rows,
    }
