"""Frames of pandas and polars, their names and types, and whatever else is not an array."""

import array

import numpy as np
import pytest
import sklearn

pd = pytest.importorskip("pandas")
VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])

NAMES = [f"feature {i}" for i in range(10)]


def polars_frame(X, columns):
    return pytest.importorskip("polars").DataFrame(X, schema=columns)


def arrow_frame(X, columns):
    pytest.importorskip("pyarrow")
    return pd.DataFrame(X, columns=columns).astype("float64[pyarrow]")


FRAMES = {
    "pandas": lambda X, columns: pd.DataFrame(X, columns=columns),
    "pandas, nullable": lambda X, columns: pd.DataFrame(X, columns=columns).astype("Float64"),
    "pandas, float32": lambda X, columns: pd.DataFrame(X, columns=columns).astype(np.float32),
    "pandas, mixed": lambda X, columns: pd.DataFrame(X, columns=columns).astype(
        {columns[0]: np.float32, columns[1]: "Float64"}
    ),
    "pandas, nullable whole numbers": lambda X, columns: pd.DataFrame(
        np.round(10 * X).astype(int), columns=columns
    ).astype("Int64"),
    "pandas, objects": lambda X, columns: pd.DataFrame(X, columns=columns).astype(object),
    "pyarrow": arrow_frame,
    "polars": polars_frame,
}

each_frame = pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)


@pytest.fixture
def ten(diabetes):
    """200 samples of the ten features."""
    return diabetes


@each_frame
def test_samples_in_frames(frame, ten, same, small):
    X, y = ten

    def program(mlp):
        data = frame(X, NAMES)
        model = small.regressor(mlp).fit(data, y)
        return (
            model.feature_names_in_,
            model.n_features_in_,
            [w.copy() for w in model.coefs_],
            model.predict(data),
            # In the precision of the predictions.
            model.predict(data).dtype.type(model.score(data, y)),
            model.partial_fit(data, y).predict(data),
        )

    same(program)


@each_frame
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_classes_of_frames(frame, solver, cancer, same, small):
    X, y = cancer
    if solver == "lbfgs" and frame is FRAMES["pandas, float32"]:
        pytest.skip("scikit-learn's lbfgs knows float64 only")

    def program(mlp):
        data = frame(X[:, :10], NAMES)
        model = small.classifier(mlp, solver=solver).fit(data, pd.Series(y))
        return model.classes_, model.predict(data), model.predict_proba(data)

    same(program)


def other_names(X):
    return pd.DataFrame(X, columns=[f"other {i}" for i in range(10)])


@pytest.mark.parametrize(
    "change",
    [
        other_names,
        lambda X: pd.DataFrame(X[:, :9], columns=NAMES[:9]),
        lambda X: pd.DataFrame(X[:, ::-1], columns=NAMES[::-1]),
        lambda X: pd.DataFrame(np.hstack([X, X[:, :1]]), columns=[*NAMES, "more"]),
        lambda X: X[:, :9],
    ],
    ids=["other names", "a column less", "other order", "a column more", "a column less, without names"],
)
@pytest.mark.parametrize("method", ["predict", "score", "partial_fit"])
def test_other_columns_than_in_fit(change, method, ten, same, small):
    X, y = ten

    def program(mlp):
        model = small.regressor(mlp).fit(pd.DataFrame(X, columns=NAMES), y)
        arguments = () if method == "predict" else (y,)
        return getattr(model, method)(change(X), *arguments)

    same.error(program)


def test_names_given_only_once(ten, same, small):
    X, y = ten

    def program(mlp):
        named = small.regressor(mlp).fit(pd.DataFrame(X, columns=NAMES), y)
        unnamed = small.regressor(mlp).fit(X, y)
        return named.predict(X), unnamed.predict(pd.DataFrame(X, columns=NAMES)), hasattr(unnamed, "feature_names_in_")

    same(program)


def test_names_of_a_second_fit(ten, same, small):
    X, y = ten

    def program(mlp):
        model = small.regressor(mlp).fit(pd.DataFrame(X, columns=NAMES), y)
        first = model.feature_names_in_
        model.fit(other_names(X), y)
        second = model.feature_names_in_
        return first, second, hasattr(model.fit(X, y), "feature_names_in_")

    same(program)


def test_names_that_are_no_strings(ten, same, small):
    X, y = ten
    same(lambda mlp: hasattr(small.regressor(mlp).fit(pd.DataFrame(X), y), "feature_names_in_"))
    mixed = pd.DataFrame(X, columns=[0, *NAMES[1:]])
    text = same.error(lambda mlp: small.regressor(mlp).fit(mixed, y))
    assert "str" in text


def test_a_column_of_text(ten, same, small):
    X, y = ten
    frame = pd.DataFrame(X, columns=NAMES)
    frame["text"] = "some"
    same.error(lambda mlp: small.regressor(mlp).fit(frame, y))


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(missing, ten, same, small):
    X, y = ten
    frame = pd.DataFrame(X, columns=NAMES)
    frame.iloc[3, 2] = missing
    same.error(lambda mlp: small.regressor(mlp).fit(frame, y))


def test_missing_values_of_nullable_columns(ten, same, small):
    X, y = ten
    frame = pd.DataFrame(X, columns=NAMES).astype("Float64")
    frame.iloc[3, 2] = pd.NA
    same.error(lambda mlp: small.regressor(mlp).fit(frame, y))


def labels():
    """Labels of three classes in all the forms they come in."""
    codes = np.arange(200) % 3
    words = np.array(["ant", "bee", "cat"])[codes]
    return {
        "integers": codes,
        "unsigned bytes": codes.astype(np.uint8),
        "floats": codes.astype(float),
        "negative": -codes,
        "strings": words,
        "objects": words.astype(object),
        "list": codes.tolist(),
        "list of strings": words.tolist(),
        "tuple": tuple(codes.tolist()),
        "bools": codes == 1,
        "list of bools": (codes == 1).tolist(),
        "column": codes[:, None],
        "series": pd.Series(codes, index=np.arange(200)[::-1]),
        "series of strings": pd.Series(words),
        "categorical": pd.Series(pd.Categorical(words)),
        "categorical, unused": pd.Series(pd.Categorical(words, categories=["cat", "dog", "ant", "bee"])),
        "categorical array": pd.Categorical(words),
        "nullable integers": pd.Series(codes).astype("Int64"),
        "nullable bools": pd.Series(codes == 1).astype("boolean"),
        "frame": pd.DataFrame({"label": words}),
        "index": pd.Index(words),
        "multilabel": np.stack([codes == 0, codes > 0, codes == 1], axis=1).astype(int),
        "multilabel bools": np.stack([codes == 0, codes > 0, codes == 1], axis=1),
        "multilabel frame": pd.DataFrame({"a": codes == 0, "b": codes > 0}).astype(int),
        "multilabel list": np.stack([codes == 0, codes > 0], axis=1).astype(int).tolist(),
    }


@pytest.mark.parametrize("kind", labels())
@pytest.mark.parametrize("early_stopping", [False, True])
def test_labels(kind, early_stopping, cancer, same, small):
    X, _ = cancer
    y = labels()[kind]

    def program(mlp):
        model = small.classifier(mlp, early_stopping=early_stopping).fit(X, y)
        return model.classes_, model.predict(X), model.predict_proba(X), model.score(X, y), model.out_activation_

    same(program)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(
            np.array([b"ant", b"bee"] * 100),
            marks=pytest.mark.skipif(VERSION < (1, 7), reason="bytes were labels up to scikit-learn 1.6"),
        ),
        np.linspace(0, 1, 200),
        np.array([0, 1] * 99 + [0, np.nan]),
        np.array(["ant", None] * 100, dtype=object),
        np.array(["ant", 1] * 100, dtype=object),
        pd.Series(["ant", pd.NA] * 100),
        pd.Series([0, pd.NA] * 100, dtype="Int64"),
        np.stack([np.arange(200) % 3, np.arange(200) % 2], axis=1),
        np.zeros((200, 2, 2)),
        np.zeros(199),
        None,
    ],
    ids=[
        "bytes",
        "continuous",
        "NaN",
        "None",
        "mixed",
        "missing string",
        "missing integer",
        "multiclass-multioutput",
        "three dimensions",
        "too few",
        "nothing",
    ],
)
def test_bad_labels(bad, cancer, same, small):
    X, _ = cancer
    same.error(lambda mlp: small.classifier(mlp).fit(X, bad))


@pytest.mark.parametrize("kind", ["series", "nullable bools", "multilabel"])
def test_labels_of_polars_and_arrow(kind, cancer, same, small):
    pl = pytest.importorskip("polars")
    X, _ = cancer
    codes = np.arange(200) % 3
    y = {
        "series": pl.Series("y", ["ant", "bee", "cat"] * 66 + ["ant", "bee"]),
        "nullable bools": pl.Series("y", codes == 1),
        "multilabel": pl.DataFrame({"a": codes == 0, "b": codes > 0}).cast(pl.Int8),
    }[kind]
    same(lambda mlp: small.classifier(mlp).fit(X, y).predict(X))


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        pd.Series,
        lambda y: pd.Series(y).astype("Float64"),
        lambda y: pd.Series(y, dtype="float64[pyarrow]"),
        lambda y: pd.DataFrame({"y": y}),
        lambda y: pd.DataFrame({"y": y, "z": -y}),
        lambda y: np.asarray(y, dtype=object),
        lambda y: np.asarray(np.round(y), dtype=int),
        lambda y: y.astype(np.float32),
        lambda y: array.array("d", y),
        lambda y: y[:, None],
    ],
    ids=[
        "list",
        "tuple",
        "series",
        "nullable",
        "pyarrow",
        "frame",
        "two columns",
        "objects",
        "integers",
        "float32",
        "array",
        "column",
    ],
)
def test_target_values(make, ten, same, small):
    X, y = ten

    def program(mlp):
        target = make(y)
        model = small.regressor(mlp).fit(X, target)
        return model.predict(X), model.score(X, target), model.n_outputs_

    same(program)


class Samples:
    """Converts itself to an array, and does nothing else."""

    def __init__(self, X):
        self.X = X
        self.shape = X.shape

    def __len__(self):
        return len(self.X)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.X, dtype=dtype)


@pytest.mark.parametrize(
    "make",
    [lambda X: X.tolist(), lambda X: tuple(map(tuple, X.tolist())), list, Samples, lambda X: X > 0],
    ids=["lists", "tuples", "list of arrays", "converts itself", "bools"],
)
def test_samples_that_are_no_arrays(make, ten, same, small):
    X, y = ten

    def program(mlp):
        model = small.regressor(mlp).fit(make(X), y)
        return model.coefs_, model.predict(make(X))

    same(program)
