"""Fashion-MNIST with the estimators: accuracy, and seconds per epoch compared with scikit-learn's.

    python -m benchmarks.fashion_mnist fashion_mnist.npz

The archive holds x_train, y_train, x_test, y_test (the images as bytes). 784-256-128-10, Adam, minibatches of 128,
float32; whole fits.
"""

import argparse
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as Rival

from benchmarks.common import alternately, ratios_text
from fastbp import MLPClassifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = np.load(options.archive)
    x_train, x_test = (data[name].reshape(-1, 784).astype(np.float32) / 255 for name in ("x_train", "x_test"))
    y_train, y_test = data["y_train"], data["y_test"]
    settings = {"hidden_layer_sizes": (256, 128), "batch_size": 128, "max_iter": options.epochs, "random_state": 0}
    models = {"fastbp": MLPClassifier(**settings), "scikit-learn": Rival(**settings)}
    MLPClassifier(**settings | {"max_iter": 1}).fit(x_train[:256], y_train[:256])  # compiles, or loads from the cache
    times = alternately(*(lambda m=m: m.fit(x_train, y_train) for m in models.values()), options.rounds)
    for (name, model), taken in zip(models.items(), times.T / options.epochs, strict=True):
        print(f"{name:13} {np.median(taken):.3f} s per epoch, accuracy {model.score(x_test, y_test):.4f}")
    print(f"times per epoch: {ratios_text(times)}")


if __name__ == "__main__":
    main()
