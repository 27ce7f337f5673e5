"""Fashion-MNIST through the scikit-learn face: accuracy, and seconds per epoch beside scikit-learn's.

    python -m benchmarks.fashion_mnist fashion_mnist.npz

The archive holds x_train, y_train, x_test, y_test (the images as bytes). 784-256-128-10, Adam, minibatches of 128,
float32; epochs are trained alternately, one with each.
"""

import argparse
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as Rival

from benchmarks.common import seconds
from fastbp import MLPClassifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = np.load(options.archive)
    x_train, x_test = (data[name].reshape(-1, 784).astype(np.float32) / 255 for name in ("x_train", "x_test"))
    y_train, y_test = data["y_train"], data["y_test"]
    classes = np.unique(y_train)
    settings = {"hidden_layer_sizes": (256, 128), "batch_size": 128, "max_iter": 1, "random_state": 0}
    models = {"fastbp": MLPClassifier(**settings), "scikit-learn": Rival(**settings)}
    times: dict[str, list[float]] = {name: [] for name in models}
    models["fastbp"].partial_fit(x_train[:256], y_train[:256], classes=classes)  # compiles, or loads from the cache
    models["fastbp"] = MLPClassifier(**settings)
    for _ in range(options.epochs):
        for name, model in models.items():
            times[name].append(seconds(lambda m=model: m.partial_fit(x_train, y_train, classes=classes)))
    for name, model in models.items():
        print(f"{name:13} accuracy {model.score(x_test, y_test):.4f}   {np.median(times[name]):.3f} s per epoch")
    ratios = np.array(times["scikit-learn"]) / np.array(times["fastbp"])
    print(f"ratio of times per epoch: median {np.median(ratios):.2f}, lowest {ratios.min():.2f}")
    complete = MLPClassifier(**(settings | {"max_iter": options.epochs}))
    print(f"fit, {options.epochs} epochs: {seconds(lambda: complete.fit(x_train, y_train)):.2f} s, accuracy ", end="")
    print(f"{complete.score(x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
