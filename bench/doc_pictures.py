"""The pictures of docs/files.md, drawn anew: docs/history.png, docs/confusion.png and docs/units.png, from MNIST.

`python bench/doc_pictures.py` trains a net of 300 hidden units and one of 30, and needs matplotlib. Commit what it has
drawn where the plots look different than before; there are no times in them.
"""

from pathlib import Path

from fastmlp import NeuralNetwork, load_mnist
from fastmlp.evaluation import evaluate
from fastmlp.plots import plot_confusion, plot_history, plot_units

DOCS = Path(__file__).resolve().parents[1] / "docs"
EPOCHS = 20


def main() -> None:
    """Train the two nets and draw the three pictures."""
    data = load_mnist()
    net = NeuralNetwork(hidden_size=300, seed=0)
    history = net.fit(data.x_train, data.y_train, number_epochs=EPOCHS, validation=(data.x_test, data.y_test))
    plot_history(history, DOCS / "history.png", "Training of 300 hidden units on mnist")
    found = evaluate(net, data.x_test, data.y_test)
    plot_confusion(found, data.x_test, DOCS / "confusion.png", "Confusion matrix: digits.npz on the test part of mnist")
    small = NeuralNetwork(hidden_size=30, seed=0)
    small.fit(data.x_train, data.y_train, number_epochs=EPOCHS)
    plot_units(small, DOCS / "units.png")


if __name__ == "__main__":
    main()
