"""What the units of the first layer have learned about handwritten digits.

python examples/filters.py [--out FOLDER]

Column `j` of the first weight matrix has a weight of unit `j` for every pixel, so it can be shown as a picture. A
pale picture belongs to a unit that was hardly trained. Pictures that look like noise are a sign of too little
regularization. Spots and strokes are parts of digits. The digits come with scikit-learn, and have 8 by 8 pixels.
"""

import argparse
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from fastbp import MLPClassifier


def train(X, y):
    """Return a network of 40 hidden units after a short training run that does not converge."""
    model = MLPClassifier(
        hidden_layer_sizes=(40,),
        max_iter=30,
        alpha=1e-4,
        solver="sgd",
        random_state=1,
        learning_rate_init=0.2,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        return model.fit(X, y)


def draw(model):
    """Return a figure with a picture for each hidden unit, all with the same color scale."""
    filters = model.coefs_[0].T.reshape(-1, 8, 8)
    most = abs(filters).max()
    figure, axes = plt.subplots(5, 8, figsize=(9.6, 5.6), layout="constrained")
    for ax, picture in zip(axes.ravel(), filters, strict=True):
        shown = ax.imshow(picture, cmap="RdBu_r", vmin=-0.7 * most, vmax=0.7 * most)
        ax.set(xticks=(), yticks=())
    figure.colorbar(shown, ax=axes, shrink=0.8, label="weight of a pixel")
    figure.suptitle("Weights of 40 hidden units, trained on digits of 8 by 8 pixels", fontsize=14)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for filters.png")
    options = parser.parse_args()

    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.3, random_state=0)
    model = train(X_train, y_train)
    print(f"loss {model.loss_:.4f} after {model.n_iter_} epochs")
    print(f"score {model.score(X_train, y_train):.3f} in training, {model.score(X_test, y_test):.3f} on test data")
    draw(model).savefig(options.out / "filters.png", dpi=100)


if __name__ == "__main__":
    main()
