"""How fast the loss falls with momentum, decreasing learning rates and Adam.

python examples/training_curves.py [--out FOLDER]

Seven update rules on four small data sets. Which one is fastest depends on the data and on `learning_rate_init`. With
"invscaling", the learning rate is divided by the square root of the number of samples seen, and here it is soon too
small.
"""

import argparse
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits, load_iris, make_circles, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import MinMaxScaler

from fastbp import MLPClassifier

SGD = {"solver": "sgd", "learning_rate_init": 0.2}
RULES = {
    "constant rate": {**SGD, "learning_rate": "constant", "momentum": 0},
    "constant, momentum": {**SGD, "learning_rate": "constant", "momentum": 0.9, "nesterovs_momentum": False},
    "constant, Nesterov momentum": {**SGD, "learning_rate": "constant", "momentum": 0.9},
    "decreasing rate": {**SGD, "learning_rate": "invscaling", "momentum": 0},
    "decreasing, momentum": {**SGD, "learning_rate": "invscaling", "momentum": 0.9, "nesterovs_momentum": False},
    "decreasing, Nesterov momentum": {**SGD, "learning_rate": "invscaling", "momentum": 0.9},
    "Adam": {"solver": "adam", "learning_rate_init": 0.01},
}
COLORS = ("tab:red", "tab:green", "tab:blue")
STYLES = [{"color": color, "linestyle": dashes} for dashes in ("-", "--") for color in COLORS] + [{"color": "black"}]
DATA = {
    "iris": load_iris(return_X_y=True),
    "digits": load_digits(return_X_y=True),
    "circles": make_circles(noise=0.2, factor=0.5, random_state=1),
    "moons": make_moons(noise=0.3, random_state=0),
}


def train(X, y, epochs):
    """Return a network for each update rule."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        return {
            name: MLPClassifier(random_state=0, max_iter=epochs, **settings).fit(X, y)
            for name, settings in RULES.items()
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for training_curves.png")
    options = parser.parse_args()

    figure, axes = plt.subplots(2, 2, figsize=(9.6, 7.4), layout="constrained")
    for ax, (name, (X, y)) in zip(axes.ravel(), DATA.items(), strict=True):
        X = MinMaxScaler().fit_transform(X)
        # There are more digits than other samples, so an epoch has more steps.
        models = train(X, y, epochs=15 if name == "digits" else 400)
        print(f"{name}:")
        for (rule, model), style in zip(models.items(), STYLES, strict=True):
            ax.plot(model.loss_curve_, label=rule, **style)
            print(f"  {rule:30} score {model.score(X, y):.3f}, loss {model.loss_:.5f}, epochs {model.n_iter_}")
        ax.set_title(name, fontsize=13)
        ax.set(xlabel="epoch", ylabel="loss")
        ax.grid(color="0.9")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle("Loss during training, for seven update rules", fontsize=14)
    figure.savefig(options.out / "training_curves.png", dpi=100)


if __name__ == "__main__":
    main()
