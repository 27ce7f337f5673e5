"""Memory layouts of arrays: in files, read-only, column by column, with gaps, in another byte order."""

import joblib
import numpy as np
import pytest

import fastbp

LAYOUTS = {
    "by columns": np.asfortranarray,
    "read-only": lambda X: np.frombuffer(X.tobytes(), dtype=X.dtype).reshape(X.shape),
    "with gaps": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "backwards": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "not aligned": lambda X: np.frombuffer(b"." + X.tobytes(), dtype=X.dtype, offset=1).reshape(X.shape),
    "other byte order": lambda X: X.astype(X.dtype.newbyteorder()),
    "half": lambda X: X.astype(np.float16),
    "integers": lambda X: np.round(8 * X).astype(np.int16),
    "matrix of one row more": lambda X: np.vstack([X, X[:1]])[:-1],
}

each_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@each_layout
@pytest.mark.parametrize(("solver", "dtype"), [("adam", np.float32), ("adam", np.float64), ("lbfgs", np.float64)])
def test_samples(layout, solver, dtype, digits, same, small):
    X, y = digits
    X = layout(X.astype(dtype))
    before = X.copy()

    def program(mlp):
        model = small.classifier(mlp, solver=solver).fit(X, y)
        return model.coefs_, model.predict_proba(X), model.score(X, y)

    same(program)
    np.testing.assert_array_equal(X, before)


@each_layout
def test_targets_and_weights(layout, diabetes, weights, same, small):
    X, y = diabetes
    y, sample_weight = (layout(a[:, None])[:, 0] for a in (y, weights))

    def program(mlp):
        model = small.regressor(mlp).fit(X, y, sample_weight=sample_weight)
        return model.coefs_, model.score(X, y, sample_weight=sample_weight)

    same(program)


def test_a_file_in_memory(digits, same, small, tmp_path):
    X, y = digits
    joblib.dump((X, y), tmp_path / "data")
    X_file, y_file = joblib.load(tmp_path / "data", mmap_mode="r")
    assert isinstance(X_file, np.memmap)
    assert not X_file.flags.writeable

    def program(mlp):
        model = small.classifier(mlp, early_stopping=True).fit(X_file, y_file)
        return model.coefs_, model.predict(X_file), model.score(X_file, y_file)

    same(program)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_model_in_a_file(digits, same, small, tmp_path):
    """Weights that cannot be written to are good enough to predict; scikit-learn's cannot be trained further."""
    X, y = digits

    def load(mlp):
        joblib.dump(small.classifier(mlp, warm_start=True).fit(X, y), tmp_path / "model")
        return joblib.load(tmp_path / "model", mmap_mode="r")

    same(lambda mlp: load(mlp).predict_proba(X))
    model = load(fastbp)
    assert not model.coefs_[0].flags.writeable
    expected = small.classifier(fastbp, warm_start=True).fit(X, y).fit(X, y)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), expected.predict_proba(X))
