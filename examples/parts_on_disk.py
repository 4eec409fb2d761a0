"""Data larger than memory: written in parts, trained on part by part, with checkpoints, and measured.

Needs nothing beside fastmlp.
"""

import tempfile
from pathlib import Path

import numpy as np

from fastmlp import NeuralNetwork, load_parts
from fastmlp.session import TrainingSession


def write_parts(folder: Path, n_parts: int, rows: int) -> None:
    """Write parts of made-up samples of three trees, each by itself: never more than one is in memory."""
    rng, trees = np.random.default_rng(0), np.array(["ash", "elm", "oak"])
    centres = rng.normal(size=(len(trees), 20))
    for k in range(n_parts):
        kinds = rng.integers(0, len(trees), rows)  # a mixture of all: samples of different parts never share a batch
        X = centres[kinds] + rng.normal(size=(rows, 20))
        np.savez(folder / f"{k:03d}.npz", X=X.astype(np.float32), y=trees[kinds])


def main() -> None:
    """Train on all parts but two, which measure the net."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parts(folder, n_parts=10, rows=500)
        parts = load_parts(f"{folder}/*.npz")
        train, test = parts[:8], parts[8:]
        net = NeuralNetwork(16, lr=0.05, input_size=parts.input_size, output_size=parts.n_classes, seed=0)
        session = TrainingSession(net, train, output=folder / "trees.model.npz", checkpoint_every=2)
        session.train(4, callback=lambda epoch, history: print(f"epoch {epoch}: loss {history.loss[-1]:.3f}"))
        resumed = TrainingSession.resume(folder / "trees.model.npz", train)  # as after a crash
        resumed.train(6)
        loss, accuracy = resumed.net.score(test)
        print(f"after {resumed.epochs} epochs: loss {loss:.3f}, accuracy {accuracy:.3f} on {test.n_samples} samples")


if __name__ == "__main__":
    main()
