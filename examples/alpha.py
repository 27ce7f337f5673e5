"""The boundary between two classes, for five strengths of regularization.

python examples/alpha.py [--out FOLDER]

A large `alpha` keeps the weights small and the boundary smooth. With a small one, the boundary follows single
samples. L-BFGS is a good solver for so few samples.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.datasets import make_circles, make_classification, make_moons
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp import MLPClassifier

ALPHAS = np.logspace(-1, 1, 5)
DOTS = ListedColormap(["tab:red", "tab:blue"])


def separable():
    """Return two clouds of samples that a straight line separates well."""
    X, y = make_classification(n_features=2, n_redundant=0, n_informative=2, random_state=0, n_clusters_per_class=1)
    return X + 2 * np.random.RandomState(2).uniform(size=X.shape), y


def train(X, y, alpha):
    """Return a fitted pipeline of a scaler and a network with two hidden layers of ten units."""
    network = MLPClassifier(solver="lbfgs", alpha=alpha, random_state=1, max_iter=2000, hidden_layer_sizes=[10, 10])
    return make_pipeline(StandardScaler(), network).fit(X, y)


def draw(ax, X, y, tested, model=None):
    """Draw the samples, and behind them the probabilities that a model predicts."""
    (x_min, y_min), (x_max, y_max) = X.min(axis=0) - 0.5, X.max(axis=0) + 0.5
    if model is not None:
        columns, rows = np.meshgrid(np.linspace(x_min, x_max, 120), np.linspace(y_min, y_max, 120))
        proba = model.predict_proba(np.column_stack([columns.ravel(), rows.ravel()]))[:, 1]
        ax.contourf(columns, rows, proba.reshape(columns.shape), levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.65)
    for chosen, opacity in ((~tested, 1.0), (tested, 0.5)):
        ax.scatter(*X[chosen].T, c=y[chosen], cmap=DOTS, alpha=opacity, edgecolors="black", linewidths=0.5, s=18)
    ax.set(xlim=(x_min, x_max), ylim=(y_min, y_max), xticks=(), yticks=())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for alpha.png")
    options = parser.parse_args()

    data = {
        "moons": make_moons(noise=0.3, random_state=0),
        "circles": make_circles(noise=0.2, factor=0.5, random_state=1),
        "separable": separable(),
    }
    figure, axes = plt.subplots(3, 1 + len(ALPHAS), figsize=(12.6, 6.9), layout="constrained")
    for line, (name, (X, y)) in zip(axes, data.items(), strict=True):
        train_rows, test_rows = train_test_split(np.arange(len(X)), test_size=0.4, random_state=42)
        tested = np.isin(np.arange(len(X)), test_rows)
        draw(line[0], X, y, tested)
        line[0].set_ylabel(name, fontsize=13)
        scores = []
        for ax, alpha in zip(line[1:], ALPHAS, strict=True):
            model = train(X[train_rows], y[train_rows], alpha)
            scores.append(model.score(X[test_rows], y[test_rows]))
            draw(ax, X, y, tested, model)
            ax.set_xlabel(f"score {scores[-1]:.3f}", fontsize=11)
        print(f"{name:10}", *(f"alpha {alpha:.2f}: {score:.3f}" for alpha, score in zip(ALPHAS, scores, strict=True)))
    axes[0, 0].set_title("samples", fontsize=13)
    for ax, alpha in zip(axes[0, 1:], ALPHAS, strict=True):
        ax.set_title(f"alpha = {alpha:.2f}", fontsize=13)
    figure.suptitle("Probability of the blue class; pale dots are test samples", fontsize=14)
    figure.savefig(options.out / "alpha.png", dpi=80)


if __name__ == "__main__":
    main()
