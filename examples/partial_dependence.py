"""The effect of single features on a regression, for a network and for boosted trees.

python examples/partial_dependence.py [--out FOLDER] [--data CSV]

Each thin line is the prediction for one sample while one of its features is varied and the others stay fixed. The
thick line is their mean, called partial dependence. The network's lines are smooth, those of trees have steps.

The data are the diabetes patients that come with scikit-learn, or a CSV file with a header line, whose last column is
the target. Four features are drawn: among those with many values, the ones that matter most to the network.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from fastbp import MLPRegressor


def load(path):
    """Return a frame of features, and the target minus its mean."""
    if path is None:
        X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    else:
        table = pd.read_csv(path)
        X, y = table[table.columns[:-1]], table[table.columns[-1]]
    return X.astype(float), (y - y.mean()).to_numpy(dtype=float)


def train(X, y):
    """Return the two models, by name."""
    network = MLPRegressor(hidden_layer_sizes=(30, 15), learning_rate_init=0.01, early_stopping=True, random_state=0)
    scaler = QuantileTransformer(n_quantiles=min(1000, len(X)), random_state=0)
    return {
        "network": make_pipeline(scaler, network).fit(X, y),
        "boosted trees": HistGradientBoostingRegressor(random_state=0).fit(X, y),
    }


def draw(models, X, features):
    """Return a figure with a row for each model and a column for each feature."""
    figure, axes = plt.subplots(len(models), len(features), figsize=(11, 5.8), layout="constrained", sharey="row")
    for line, (name, model) in zip(axes, models.items(), strict=True):
        PartialDependenceDisplay.from_estimator(
            model,
            X,
            features,
            kind="both",
            centered=True,
            subsample=50,
            grid_resolution=20,
            random_state=0,
            ax=line,
            ice_lines_kw={"color": "tab:blue", "alpha": 0.25, "linewidth": 0.6},
            pd_line_kw={"color": "tab:orange", "linewidth": 2.5},
        )
        for ax in line:
            ax.set_ylabel("")
            ax.get_legend().remove()
        line[0].set_ylabel(name, fontsize=13)
    figure.suptitle("Change of the prediction with one feature: 50 samples, and the mean of all", fontsize=14)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for partial_dependence.png")
    parser.add_argument("--data", type=Path, help="a CSV file to use instead of the diabetes data")
    options = parser.parse_args()

    X, y = load(options.data)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.1, random_state=0)
    models = train(X_train, y_train)
    for name, model in models.items():
        trained, tested = model.score(X_train, y_train), model.score(X_test, y_test)
        print(f"{name}: R2 {trained:.3f} in training, {tested:.3f} on test data")
    found = permutation_importance(models["network"], X_test, y_test, n_repeats=10, random_state=0)
    importance = pd.Series(found.importances_mean, index=X.columns)[X.nunique() > 20].nlargest(4)
    for feature, value in importance.items():
        print(f"{feature}: importance {value:.3f}")
    draw(models, X_train, list(importance.index)).savefig(options.out / "partial_dependence.png", dpi=100)


if __name__ == "__main__":
    main()
