"""The README's table of accuracy: `python bench/accuracy.py` (20 epochs, lr 0.1, batch 128).

Ours with seeds 0 to 4, medians; the NumPy net, and the Keras net where it is installed, with seed 0. Prints Markdown.
"""

import statistics
import sys

from fastmlp import contenders, load_mnist

SIZES = (30, 128, 256, 300)
SEEDS = {"fastmlp": range(5), "numpy": range(1), "keras": range(1)}


def main() -> None:
    data = load_mnist()
    print("| hidden size | net | Time | Test accuracy | Test loss | Train accuracy | Train loss |")
    print("|---|---|---|---|---|---|---|")
    for hidden_size in SIZES:
        for name, seeds in SEEDS.items():
            if not contenders.available(name):
                print(f"{name} is not installed: {contenders.MODULES[name].pip}", file=sys.stderr)
                continue
            net = contenders.load(name)
            results = [contenders.fit_and_test(net(hidden_size, 0.1, seed=seed), data) for seed in seeds]

            def median(field: str, results: list[contenders.Result] = results) -> float:
                return statistics.median(getattr(result, field) for result in results)

            print(
                f"| {hidden_size} | {name} | {median('train_seconds'):.2f} s | {median('test_accuracy'):.4f} "
                f"| {median('test_loss'):.4f} | {median('train_accuracy'):.4f} | {median('train_loss'):.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
