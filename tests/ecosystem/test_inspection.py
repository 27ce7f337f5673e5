"""What looks into a fitted estimator, draws it, or shows it in a notebook."""

import re

import numpy as np
import pytest
import sklearn
from sklearn.base import is_classifier, is_regressor
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr, get_tags

import fastbp


@pytest.mark.parametrize("kind", ["average", "individual", "both"])
def test_partial_dependence_of_a_number(kind, diabetes, same, small):
    X, y = diabetes

    def program(mlp):
        model = make_pipeline(StandardScaler(), small.regressor(mlp)).fit(X, y)
        return [dict(partial_dependence(model, X, features, kind=kind)) for features in ([0], [1, 2], [8])]

    if kind == "average":
        same(program)
    else:
        same(lambda mlp: dict(partial_dependence(small.regressor(mlp).fit(X, y), X, [3], kind=kind)))


@pytest.mark.parametrize("method", ["auto", "predict_proba"])
def test_partial_dependence_of_classes(method, digits, same, small):
    X, y = digits

    def program(mlp):
        model = small.classifier(mlp).fit(X, y)
        return dict(partial_dependence(model, X, [10, 20], response_method=method, grid_resolution=5))

    same(program)


def test_partial_dependence_of_named_columns(diabetes, same, small):
    pd = pytest.importorskip("pandas")
    X, y = diabetes
    frame = pd.DataFrame(X, columns=list("abcdefghij"))
    same(lambda mlp: dict(partial_dependence(small.regressor(mlp).fit(frame, y), frame, ["b", "c"])))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_permutation_importance(n_jobs, diabetes, same, small):
    X, y = diabetes

    def program(mlp):
        model = small.regressor(mlp).fit(X, y)
        return dict(permutation_importance(model, X, y, n_repeats=3, random_state=0, n_jobs=n_jobs))

    same(program)


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")


def lines(axes):
    """The data of all lines in a picture."""
    return [[line.get_xydata() for line in ax.get_lines()] for ax in np.ravel(axes)]


def test_displays_of_partial_dependence(diabetes, same, small, pyplot):
    from sklearn.inspection import PartialDependenceDisplay

    X, y = diabetes

    def program(mlp):
        model = small.regressor(mlp).fit(X, y)
        return lines(PartialDependenceDisplay.from_estimator(model, X, [2, 8]).axes_)

    same(program)


def test_displays_of_curves(cancer, same, small, pyplot):
    from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay
    from sklearn.model_selection import LearningCurveDisplay, ValidationCurveDisplay

    X, y = cancer

    def program(mlp):
        model = small.classifier(mlp).fit(X, y)
        unfitted = small.classifier(mlp)
        displays = [
            RocCurveDisplay.from_estimator(model, X, y),
            PrecisionRecallDisplay.from_estimator(model, X, y),
            LearningCurveDisplay.from_estimator(unfitted, X, y, cv=2, train_sizes=[0.5, 1.0]),
            ValidationCurveDisplay.from_estimator(unfitted, X, y, param_name="alpha", param_range=[0.1, 1.0], cv=2),
        ]
        texts = [[text.get_text() for text in d.figure_.axes[0].get_legend().get_texts()] for d in displays]
        return [lines(d.ax_) for d in displays], texts

    same(program)


def test_display_of_a_boundary(cancer, same, small, pyplot):
    from sklearn.inspection import DecisionBoundaryDisplay

    X, y = cancer

    def program(mlp):
        model = small.classifier(mlp).fit(X[:, :2], y)
        display = DecisionBoundaryDisplay.from_estimator(model, X[:, :2], grid_resolution=20)
        return display.response, display.ax_.get_xlabel()

    same(program)


# ---- notebooks ----


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_page_of_an_estimator(cancer, small):
    X, y = cancer
    for model in (small.classifier(fastbp, alpha=0.125), small.regressor(fastbp, alpha=0.125)):
        page = estimator_html_repr(model)
        assert re.findall(r"<pre>([^<]*)</pre>", page)[0] == repr(model)
        assert "Not fitted" in page
        assert "href" not in page, "a link to the documentation of another library's estimator"
        fitted = make_pipeline(StandardScaler(), model).fit(X, y)
        assert ">Fitted<" in estimator_html_repr(fitted)
        assert "Not fitted" not in estimator_html_repr(fitted)


def test_text_of_an_estimator(same, small):
    def program(mlp):
        models = small.classifier(mlp, alpha=0.5), small.regressor(mlp), mlp.MLPClassifier((3, 2), solver="sgd")
        with sklearn.config_context(print_changed_only=True):
            return [repr(model) for model in models], repr(make_pipeline(StandardScaler(), models[0]))

    same(program)


def test_tags(same, small):
    def program(mlp):
        model = small.classifier(mlp)
        return repr(get_tags(model)), is_classifier(model), is_regressor(model)

    same(program)
    ref, comp = (get_tags(small.regressor(module)) for module in same.MODULES)
    # scikit-learn's regressor does not say that it takes several outputs.
    assert comp.target_tags.multi_output
    comp.target_tags.multi_output = ref.target_tags.multi_output
    assert comp == ref
