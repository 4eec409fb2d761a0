"""How well the synthetic digits stand in for handwriting, measured on MNIST.

    python bench/synthetic_transfer.py                     # time to draw, density and accuracies
    python bench/synthetic_transfer.py --sheet sheet.png   # and 20 of each digit beside 20 of MNIST's

Each net has 300 hidden units and trains for 20 epochs, batch 128, lr 0.1. The sheet shows MNIST's training images: the
drawings were tuned by looking at those, never at its test images.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from fastmlp import Dataset, NeuralNetwork, load_mnist, load_synthetic
from fastmlp.datasets.synthetic.digits import draw_digits, draw_labels

PER_DIGIT = 20
GAP = 12


def trained_on(data: Dataset, seed: int) -> NeuralNetwork:
    """Return a net of 300 hidden units after 20 epochs on the training set."""
    net = NeuralNetwork(300, 0.1, seed=seed)
    net.fit(data.x_train, data.y_train, batch_size=128, number_epochs=20)
    return net


def digits_in_rows(data: Dataset) -> np.ndarray:
    """Return the first 20 training images of each digit as one picture (280, 560), uint8, dark on light."""
    rows = [np.hstack(data.x_train[data.y_train == digit][:PER_DIGIT].reshape(-1, 28, 28)) for digit in range(10)]
    return (255 - 255 * np.vstack(rows)).astype(np.uint8)


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write shades of grey (h, w), uint8, in sixteen steps, so that the file stays small."""
    Image.fromarray((picture >> 4) * np.uint8(17)).save(path, optimize=True)


def main() -> None:
    """Measure and print; draw the sheet if asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a contact sheet (PNG)")
    parser.add_argument("--drawn-only", action="store_true", help="only write the sheet, with the drawings alone")
    parser.add_argument("--seed", type=int, default=0, help="of the nets' weights and shuffles (default: 0)")
    arguments = parser.parse_args()
    if arguments.drawn_only and not arguments.sheet:
        parser.error("--drawn-only needs --sheet FILE")

    drawn = load_synthetic()
    if arguments.drawn_only:
        write_png(arguments.sheet, digits_in_rows(drawn))
        return
    real = load_mnist()
    if arguments.sheet:
        gap = np.full((280, GAP), 128, np.uint8)
        write_png(arguments.sheet, np.hstack([digits_in_rows(drawn), gap, digits_in_rows(real)]))

    draw_digits(draw_labels(0)[:1000], 0)  # loads the compiled code
    start = time.perf_counter()
    draw_digits(draw_labels(0), 0)
    print(f"drawing 70,000 digits   {time.perf_counter() - start:.1f} s")
    for data in (drawn, real):
        print(f"density of {data.name:9}  {np.count_nonzero(data.x_train) / data.x_train.size:.4f}")
    for source in (drawn, real):
        net = trained_on(source, arguments.seed)
        for target in (drawn, real):
            accuracy = net.score(target.x_test, target.y_test).accuracy
            print(f"trained on {source.name:9}  tested on {target.name:9}  {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
