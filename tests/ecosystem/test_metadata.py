"""Sample weights on their way through other estimators, and scikit-learn's settings."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingRegressor, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# ---- without routing: weights go to all that take them ----

WEIGHTED = {
    "itself": lambda m: m,
    "voting": lambda m: VotingClassifier([("a", m), ("b", LogisticRegression())], voting="soft"),
    "calibrated": lambda m: CalibratedClassifierCV(m, cv=2),
    "bagged": lambda m: BaggingClassifier(m, n_estimators=2, random_state=0),
    "searched": lambda m: GridSearchCV(m, {"alpha": [1e-3, 1.0]}, cv=2),
}


@pytest.mark.parametrize("kind", WEIGHTED)
def test_weights_of_classifiers(kind, cancer, weights, same, small):
    X, y = cancer

    def program(mlp):
        model = WEIGHTED[kind](small.classifier(mlp)).fit(X, y, sample_weight=weights)
        return model.predict_proba(X)

    weighted = same(program)
    plain = same(lambda mlp: WEIGHTED[kind](small.classifier(mlp)).fit(X, y).predict_proba(X))
    assert np.abs(weighted - plain).max() > 1e-6


@pytest.mark.parametrize(
    "wrap", [MultiOutputRegressor, lambda m: StackingRegressor([("a", m)], Ridge(), cv=2)], ids=["each", "stacked"]
)
def test_weights_of_regressors(wrap, diabetes, weights, same, small):
    X, y = diabetes
    target = np.column_stack([y, -y]) if wrap is MultiOutputRegressor else y

    def program(mlp):
        model = wrap(small.regressor(mlp)).fit(X, target, sample_weight=weights)
        return model.predict(X), model.score(X, target, weights)

    same(program)


def test_weights_of_a_step(cancer, weights, same, small):
    X, y = cancer

    def program(mlp):
        model = make_pipeline(StandardScaler(), small.classifier(mlp))
        model.fit(X, y, mlpclassifier__sample_weight=weights)
        return model.predict_proba(X), model.score(X, y, sample_weight=weights)

    same(program)
    same.error(lambda mlp: make_pipeline(small.classifier(mlp)).fit(X, y, sample_weight=weights))


BAD_WEIGHTS = {
    "too few": np.ones(199),
    "two columns": np.ones((200, 2)),
    "zeros": np.zeros(200),
    "NaN": np.r_[np.ones(199), np.nan],
    "text": np.array(["one"] * 200),
    "no numbers": np.array([None] * 200),
}


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
def test_bad_weights(kind, cancer, same, small):
    X, y = cancer
    same.error(lambda mlp: small.classifier(mlp).fit(X, y, sample_weight=BAD_WEIGHTS[kind]))


# ---- with routing ----


def test_requests_at_first(same, small, routing):
    def program(mlp):
        return [str(model.get_metadata_routing()) for model in (small.classifier(mlp), small.regressor(mlp))]

    assert "'partial_fit': {'sample_weight': None, 'classes': None}" in same(program)[0]


def test_requests_that_were_set(same, small, routing):
    def program(mlp):
        model = (
            small.classifier(mlp)
            .set_fit_request(sample_weight=True)
            .set_partial_fit_request(sample_weight="weights", classes=True)
            .set_score_request(sample_weight=False)
        )
        return str(model.get_metadata_routing()), str(clone(model).get_metadata_routing())

    assert "weights" in same(program)[1]
    same.error(lambda mlp: small.classifier(mlp).set_fit_request(unknown=True))
    same.error(lambda mlp: small.regressor(mlp).set_partial_fit_request(classes=True))


def test_requests_without_routing(same, small):
    same.error(lambda mlp: small.classifier(mlp).set_fit_request(sample_weight=True))


@pytest.mark.skipif(VERSION < (1, 8), reason="pipelines route to score since scikit-learn 1.8")
def test_routed_through_a_pipeline_and_a_search(cancer, weights, same, small, routing):
    X, y = cancer

    def program(mlp):
        model = small.classifier(mlp).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-3, 1.0]}, cv=2)
        search.fit(X, y, sample_weight=weights)
        return search.cv_results_["mean_test_score"], search.predict_proba(X)

    same(program)


def test_routed_under_other_names(cancer, weights, same, small, routing):
    X, y = cancer

    def program(mlp):
        model = small.classifier(mlp).set_fit_request(sample_weight="how_sure").set_score_request(sample_weight=False)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight="how_sure")
        found = cross_validate(model, X, y, cv=2, params={"how_sure": weights}, scoring=scorer, return_estimator=True)
        return found["test_score"], [m.coefs_ for m in found["estimator"]]

    same(program)


def test_nobody_has_said_what_to_do_with_weights(cancer, weights, same, small, routing):
    X, y = cancer
    text = same.error(lambda mlp: make_pipeline(small.classifier(mlp)).fit(X, y, sample_weight=weights))
    assert "set_fit_request" in text
    same.error(lambda mlp: cross_validate(small.classifier(mlp), X, y, params={"sample_weight": weights}))


def test_routed_through_ensembles(cancer, weights, same, small, routing):
    X, y = cancer

    def program(mlp):
        model = small.classifier(mlp).set_fit_request(sample_weight=True)
        voting = VotingClassifier([("a", model), ("b", clone(model))], voting="soft")
        bagged = BaggingClassifier(model, n_estimators=2, random_state=0)
        return [m.fit(X, y, sample_weight=weights).predict_proba(X) for m in (voting, bagged)]

    same(program)


# ---- settings ----


@pytest.mark.parametrize("container", ["pandas", "polars", "default"])
def test_transformers_that_hand_over_frames(container, cancer, same, small):
    if container != "default":
        pytest.importorskip(container)
    X, y = cancer

    def program(mlp):
        with sklearn.config_context(transform_output=container):
            model = make_pipeline(StandardScaler(), small.classifier(mlp)).fit(X, y)
            return model.predict_proba(X), getattr(model[-1], "feature_names_in_", None)

    same(program)


def test_transformer_of_one_pipeline(cancer, same, small):
    pytest.importorskip("pandas")
    X, y = cancer

    def program(mlp):
        pipeline = make_pipeline(StandardScaler(), small.classifier(mlp))
        pipeline[:-1].set_output(transform="pandas")
        pipeline.fit(X, y)
        return pipeline.predict_proba(X), pipeline[-1].feature_names_in_, hasattr(pipeline[-1], "set_output")

    same(program)


@pytest.mark.parametrize("skip", [False, True])
def test_parameters_that_are_not_checked(skip, cancer, same, small):
    X, y = cancer

    def program(mlp):
        with sklearn.config_context(skip_parameter_validation=skip):
            return small.classifier(mlp, shuffle=1).fit(X, y).coefs_

    (same if skip else same.error)(program)


def test_a_nested_fit_checks_its_parameters(cancer, same, small):
    X, y = cancer
    same.error(lambda mlp: make_pipeline(StandardScaler(), small.classifier(mlp, alpha=-1.0)).fit(X, y))


@pytest.mark.parametrize("assume_finite", [False, True])
def test_samples_that_are_assumed_to_be_finite(assume_finite, cancer, same, small):
    X, y = cancer
    bad = X.copy()
    bad[3, 4] = np.nan

    def program(mlp):
        model = small.classifier(mlp).fit(X, y)
        with sklearn.config_context(assume_finite=assume_finite):
            return model.predict_proba(bad)

    if assume_finite:
        assert np.isnan(same(program)[3]).all()
    else:
        same.error(program)


def test_changed_settings_are_shown(same, small):
    with sklearn.config_context(print_changed_only=False):
        texts = [repr(small.classifier(module)) for module in same.MODULES]
    assert "beta_1=0.9" in texts[1]
    assert texts[1].startswith("MLPClassifier(")
