"""Train and predict in child processes of the kinds that are named; prints a line of JSON for each.

With "patch" among the arguments, the program patches scikit-learn itself.
"""

import json
import multiprocessing
import sys
import warnings
from contextlib import contextmanager

import numpy as np
from joblib import Parallel, delayed

if "patch" in sys.argv:
    import fastbp

    fastbp.patch_sklearn(verbose=False)

import maker
from sklearn.neural_network import MLPClassifier

X = np.random.default_rng(0).standard_normal((60, 4))
Y = (X[:, 0] > 0).astype(int)


def make(seed):
    """Return a new estimator, as `maker.make` does."""
    return MLPClassifier((5,), max_iter=3, random_state=seed)


def train(estimator):
    """Return an estimator that a child process was given and has trained."""
    warnings.simplefilter("ignore")
    return estimator.fit(X, Y)


def predict(model):
    """Return what a child process predicts by a model that it was given."""
    return model.predict(X).tolist()


@contextmanager
def children(kind):
    """Start child processes; gives the function that maps in them."""
    if kind == "loky":
        yield lambda function, arguments: Parallel(n_jobs=2)(delayed(function)(argument) for argument in arguments)
    else:
        with multiprocessing.get_context(kind).Pool(1) as pool:
            yield pool.map


def package(estimators):
    """Return the package that estimators come from."""
    (name,) = {type(estimator).__module__.partition(".")[0] for estimator in estimators}
    return name


def main():
    """Say of each kind whose classes are found there, and whether trainings and predictions agree."""
    seeds = range(2)
    expected = [predict(train(make(seed))) for seed in seeds]
    for kind in set(sys.argv[1:]) - {"patch"}:
        with children(kind) as call:
            made, elsewhere = call(make, seeds), call(maker.make, seeds)
            trained = call(train, made)
            predicted = call(predict, trained)
        agree = predicted == [predict(model) for model in trained] == expected
        print(json.dumps([kind, package(made), package(elsewhere), agree]))


if __name__ == "__main__":
    main()
