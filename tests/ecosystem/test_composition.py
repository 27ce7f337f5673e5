"""Estimators of estimators: pipelines, ensembles, calibration, many outputs."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.semi_supervised import SelfTrainingClassifier

CLASSIFIERS = {
    "pipeline": lambda m: make_pipeline(StandardScaler(), m),
    "union": lambda m: make_pipeline(FeatureUnion([("as is", "passthrough"), ("scaled", MinMaxScaler())]), m),
    "sparse": lambda m: make_pipeline(OneHotEncoder(handle_unknown="ignore", max_categories=5), m),
    "search in a pipeline": lambda m: make_pipeline(StandardScaler(), GridSearchCV(m, {"alpha": [1e-3, 1.0]}, cv=2)),
    "stacked": lambda m: StackingClassifier([("a", m), ("b", clone(m).set_params(alpha=1.0))], cv=2),
    "stacked on top": lambda m: StackingClassifier([("a", LogisticRegression())], m, cv=2, passthrough=True),
    "voting": lambda m: VotingClassifier([("a", m), ("b", LogisticRegression())]),
    "voting softly": lambda m: VotingClassifier([("a", m), ("b", clone(m).set_params(solver="lbfgs"))], voting="soft"),
    "calibrated": lambda m: CalibratedClassifierCV(m, cv=2),
    "calibrated, isotonic": lambda m: CalibratedClassifierCV(m, method="isotonic", ensemble=False, cv=2),
    "bagged": lambda m: BaggingClassifier(m, n_estimators=3, max_features=0.7, random_state=0),
    "bagged, out of bag": lambda m: BaggingClassifier(m, n_estimators=12, oob_score=True, random_state=0),
    "bagged in threads": lambda m: BaggingClassifier(m, n_estimators=3, n_jobs=2, random_state=0),
    "boosted": lambda m: AdaBoostClassifier(m, n_estimators=3, random_state=0),
    "one against all": OneVsRestClassifier,
    "one against one": lambda m: OneVsOneClassifier(m),
    "codes": lambda m: OutputCodeClassifier(m, code_size=1.5, random_state=0),
    "frozen": lambda m: FrozenEstimator(m),
    "self-training": lambda m: SelfTrainingClassifier(m, max_iter=2),
}


def fit_frozen(model, X, y):
    """Train what is inside first."""
    model.estimator.fit(X, y)
    return model.fit(X, y)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_of_classifiers(kind, digits, same, small):
    X, y = digits
    X, y = X[y < 4], y[y < 4]

    def program(mlp):
        model = CLASSIFIERS[kind](small.classifier(mlp, max_iter=8))
        model = fit_frozen(model, X, y) if kind == "frozen" else model.fit(X, y)
        proba = model.predict_proba(X) if hasattr(model, "predict_proba") else None
        return model.predict(X), model.score(X, y), proba, model.n_features_in_

    same(program)


def test_threshold(cancer, same, small):
    X, y = cancer
    same(lambda mlp: FixedThresholdClassifier(small.classifier(mlp), threshold=0.9).fit(X, y).predict(X))


REGRESSORS = {
    "pipeline": lambda m: Pipeline([("scale", StandardScaler()), ("mlp", m)]),
    "transformed target": lambda m: TransformedTargetRegressor(m, func=np.log1p, inverse_func=np.expm1),
    "quantiles": lambda m: TransformedTargetRegressor(m, transformer=QuantileTransformer(n_quantiles=20)),
    "stacked": lambda m: StackingRegressor([("a", m), ("b", Ridge())], clone(m).set_params(solver="lbfgs"), cv=2),
    "voting": lambda m: VotingRegressor([("a", m), ("b", Ridge())]),
    "bagged": lambda m: BaggingRegressor(m, n_estimators=3, random_state=0),
    "boosted": lambda m: AdaBoostRegressor(m, n_estimators=2, random_state=0),
    "log of samples": lambda m: make_pipeline(FunctionTransformer(np.arctan), m),
}


@pytest.mark.parametrize("kind", REGRESSORS)
def test_of_regressors(kind, diabetes, same, small):
    X, y = diabetes

    def program(mlp):
        model = REGRESSORS[kind](small.regressor(mlp)).fit(X, y)
        return model.predict(X), model.score(X, y)

    same(program)


@pytest.mark.parametrize(
    "wrap",
    [MultiOutputRegressor, lambda m: RegressorChain(m, order="random", random_state=0, cv=2), lambda m: m],
    ids=["each", "chain", "itself"],
)
def test_numbers_of_several_outputs(wrap, diabetes, same, small):
    X, y = diabetes
    targets = np.column_stack([y, y**2, -y])

    def program(mlp):
        model = wrap(small.regressor(mlp)).fit(X, targets)
        return model.predict(X), model.score(X, targets)

    same(program)


@pytest.mark.parametrize(
    "wrap",
    [MultiOutputClassifier, lambda m: ClassifierChain(m, order=[1, 0], cv=2), lambda m: m],
    ids=["each", "chain", "itself"],
)
def test_labels_of_several_outputs(wrap, cancer, same, small):
    X, y = cancer
    labels = np.column_stack([y, X[:, 0] > 0]).astype(int)

    def program(mlp):
        model = wrap(small.classifier(mlp)).fit(X, labels)
        return model.predict(X), model.predict_proba(X), model.score(X, labels)

    same(program)


def test_incremental_wrappers(digits, same, small):
    X, y = digits

    def program(mlp):
        each = MultiOutputClassifier(small.classifier(mlp))
        all_ = OneVsRestClassifier(small.classifier(mlp))
        pairs = OneVsOneClassifier(small.classifier(mlp))
        labels = np.column_stack([y, y % 2])
        for part in (slice(0, 150), slice(150, 300)):
            each.partial_fit(X[part], labels[part], classes=[np.arange(10), np.arange(2)])
            all_.partial_fit(X[part], y[part], classes=np.arange(10))
            pairs.partial_fit(X[part], y[part], classes=np.arange(10))
        return each.predict(X), all_.predict(X), pairs.predict(X), hasattr(FrozenEstimator(all_), "partial_fit")

    same(program)


@pytest.mark.parametrize("threshold", [0.0, 1.0], ids=["dense", "sparse"])
def test_columns_of_several_kinds(threshold, same, small):
    pd = pytest.importorskip("pandas")
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(
        {
            "height": rng.standard_normal(200),
            "kind": pd.Categorical(rng.choice(["ant", "bee", "cat"], 200)),
            "town": rng.choice(["north", "south"], 200),
            "count": rng.poisson(3.0, 200),
        }
    )
    y = frame["height"].to_numpy() + (frame["kind"] == "bee")

    def program(mlp):
        columns = ColumnTransformer(
            [
                ("numbers", StandardScaler(), make_column_selector(dtype_include=np.number)),
                ("words", OneHotEncoder(sparse_output=True), ["kind", "town"]),
            ],
            sparse_threshold=threshold,
        )
        model = make_pipeline(columns, small.regressor(mlp)).fit(frame, y)
        return model.predict(frame), model.score(frame, y), model[-1].n_features_in_

    same(program)


def test_features_chosen_one_by_one(diabetes, same, small):
    X, y = diabetes

    def program(mlp):
        chosen = SequentialFeatureSelector(small.regressor(mlp), n_features_to_select=2, cv=2).fit(X[:, :4], y)
        return chosen.get_support()

    same(program)


def test_copies(cancer, same, small):
    X, y = cancer

    def program(mlp):
        model = small.classifier(mlp, alpha=0.5).fit(X, y)
        copy = clone(model)
        params = {name: value for name, value in copy.get_params().items() if name not in ("n_jobs", "weight_decay")}
        return params, hasattr(copy, "coefs_"), copy.fit(X, y).coefs_, model.coefs_

    same(program)


def test_steps_that_are_replaced(cancer, same, small):
    X, y = cancer

    def program(mlp):
        model = make_pipeline(StandardScaler(), LogisticRegression())
        model.set_params(logisticregression=small.classifier(mlp), logisticregression__alpha=0.1)
        return model.fit(X, y).predict_proba(X)

    same(program)
