"""To PyTorch and back: the same outputs, separate memory, and clear words for what an estimator cannot be."""

import copy
import pickle
from collections import OrderedDict
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from fastbp import MLPClassifier, MLPRegressor
from fastbp.kernels.functions.activations import HIDDEN

torch = pytest.importorskip("torch")
nn = torch.nn

# Two programs that sum in different orders: a few units in the last place of outputs of order one.
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-14}


def run(module, X):
    with torch.no_grad():
        return module(torch.from_numpy(X)).numpy()


def network_outputs(model, X):
    """What the output layer gives, by the estimator."""
    if not hasattr(model, "predict_proba"):
        return model.predict(X).reshape(len(X), -1)
    return model.predict_proba(X)[:, -model.n_outputs_ :]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_modules_compute_the_outputs(make, samples, assert_untouched, kind, dtype):
    model = make(kind, dtype=dtype)
    with assert_untouched(model):
        module = model.to_torch()
    X, _ = samples(kind, dtype)
    got = run(module, X)
    assert got.dtype == dtype
    assert got.shape == (len(X), model.n_outputs_)
    assert_allclose(got, network_outputs(model, X), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("change", [np.ndarray.tolist, np.float32])
def test_weights_set_by_hand_are_converted_as_they_are_predicted_with(make, samples, change):
    model = make("multioutput")
    model.coefs_ = [change(coef) for coef in model.coefs_]
    X, _ = samples("multioutput")
    assert_allclose(run(model.to_torch(), X), network_outputs(model, X), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("hidden", [(), (5,), (4, 3, 2)])
def test_there_and_back(make, samples, assert_same, kind, activation, hidden):
    model = make(kind, activation=activation, hidden_layer_sizes=hidden)
    classes = {"classes": model.classes_} if hasattr(model, "classes_") else {}
    if kind == "one class":  # A module's output stands for two.
        classes = {"classes": [0, 3]}
    params = {} if hidden else {"activation": activation}
    again = type(model).from_torch(model.to_torch(), **classes, **params)
    for name in ("hidden_layer_sizes", "activation", "coefs_", "intercepts_", "n_layers_", "n_outputs_"):
        assert_same(getattr(again, name), getattr(model, name))
    for name in ("n_features_in_", "out_activation_"):
        assert_same(getattr(again, name), getattr(model, name))
    X, _ = samples(kind)
    assert_same(network_outputs(again, X), network_outputs(model, X))
    if kind not in ("sparse multilabel", "one class"):
        assert_same(again.predict(X), model.predict(X))


def test_one_class_needs_a_name_for_the_other(make):
    module = make("one class").to_torch()
    with pytest.raises(ValueError, match=r"2 classes are needed for 1 outputs, got \[3\]"):
        MLPClassifier.from_torch(module, classes=[3])
    assert MLPClassifier.from_torch(module, classes=[0, 3]).n_outputs_ == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_goes_on(make, go_on, assert_same, dtype):
    """As that of an estimator with the same weights and no moments."""
    model = make("integers", dtype=dtype)
    again = MLPClassifier.from_torch(model.to_torch(), classes=model.classes_, random_state=0, batch_size=10)
    del model._optimizer
    go_on("integers", model, again)
    assert_same(again.coefs_, model.coefs_)
    assert again.coefs_[0].dtype == dtype
    assert len(again.loss_curve_) == 2
    assert_same(pickle.loads(pickle.dumps(again)).coefs_, model.coefs_)


def test_memory_is_separate(make):
    model = make("regression", "partial_fit")
    module = model.to_torch()
    again = MLPRegressor.from_torch(module)
    ours, theirs = copy.deepcopy(model), copy.deepcopy(again)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(7)
    for before, after in ((ours, model), (theirs, again)):
        for a, b in zip([*before.coefs_, *before.intercepts_], [*after.coefs_, *after.intercepts_], strict=True):
            assert_array_equal(a, b)


def test_modules_can_be_trained_and_draw_no_random_numbers(make, samples):
    state = torch.get_rng_state()
    module = make("integers", dtype=np.float32).to_torch()
    assert torch.equal(torch.get_rng_state(), state)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    X, y = samples("integers", np.float32)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = -module(torch.from_numpy(X))[range(len(y)), y - 5].log().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]


def test_the_exponential_is_a_module_like_others(make, samples, tmp_path):
    module = make("poisson").to_torch()
    X, _ = samples("poisson")
    expected = run(module, X)
    assert_array_equal(run(copy.deepcopy(module), X), expected)
    torch.save(module, tmp_path / "module")
    assert_array_equal(run(torch.load(tmp_path / "module", weights_only=False), X), expected)
    assert repr(module[-1]) == "Exp()"
    assert MLPRegressor.from_torch(module).loss == "poisson"


def test_unfitted_estimators_have_no_module():
    with pytest.raises(NotFittedError):
        MLPRegressor().to_torch()


def linears(*units, dtype=torch.float64):
    return [nn.Linear(n_in, n_out, dtype=dtype) for n_in, n_out in pairwise(units)]


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("last", [nn.Softmax(dim=1), nn.Softmax(dim=-1), nn.LogSoftmax(dim=1), nn.Identity(), None])
def test_several_classes_in_the_order_of_the_outputs(samples, last):
    first, second = linears(6, 5, 3)
    layers = [first, nn.Tanh(), second]
    X, _ = samples("integers")
    proba = softmax(run(nn.Sequential(*layers), X))
    module = nn.Sequential(*layers) if last is None else nn.Sequential(*layers, last)
    model = MLPClassifier.from_torch(module, classes=["rot", "blau", "gelb"])
    assert model.classes_.tolist() == ["blau", "gelb", "rot"]
    assert_allclose(model.predict_proba(X), proba[:, [1, 2, 0]], rtol=1e-13)
    assert_array_equal(model.predict(X), np.array(["rot", "blau", "gelb"])[proba.argmax(axis=1)])


@pytest.mark.parametrize("classes", [None, ["a", "b"], ["b", "a"], [True, False]])
@pytest.mark.parametrize("last", [nn.Softmax(dim=1), nn.LogSoftmax(dim=1), None])
def test_two_outputs_become_one(samples, classes, last):
    layers = linears(6, 2)
    X, _ = samples("strings")
    proba = softmax(run(layers[0], X))
    model = MLPClassifier.from_torch(nn.Sequential(*layers, *([] if last is None else [last])), classes=classes)
    names = np.array([0, 1] if classes is None else classes)
    assert model.n_outputs_ == 1
    assert_allclose(model.predict_proba(X), proba[:, np.argsort(names)], rtol=1e-12)
    assert_array_equal(model.predict(X), names[proba.argmax(axis=1)])


@pytest.mark.parametrize("classes", [None, ["a", "b"], ["b", "a"]])
@pytest.mark.parametrize("last", [nn.Sigmoid(), None])
def test_one_output_is_the_second_class(samples, classes, last):
    layers = linears(6, 1)
    X, _ = samples("strings")
    z = run(layers[0], X)[:, 0]
    model = MLPClassifier.from_torch(nn.Sequential(*layers, *([] if last is None else [last])), classes=classes)
    names = np.array([0, 1] if classes is None else classes)
    assert_allclose(model.predict_proba(X)[:, list(model.classes_).index(names[1])], 1 / (1 + np.exp(-z)), rtol=1e-13)
    assert_array_equal(model.predict(X), names[(z > 0).astype(int)])


def test_several_outputs_after_sigmoid_are_labels(samples):
    module = nn.Sequential(*linears(6, 4), nn.Sigmoid())
    X, _ = samples("multilabel")
    model = MLPClassifier.from_torch(module)
    assert_allclose(model.predict_proba(X), run(module, X), rtol=1e-13)
    assert_array_equal(model.predict(X), (run(module, X) > 0.5).astype(int))
    model.partial_fit(X, model.predict(X))
    with pytest.raises(ValueError, match="classes of multilabel targets are the numbers of the outputs"):
        MLPClassifier.from_torch(module, classes=[4, 3, 2, 1])


def test_regression_with_and_without_rates(samples):
    X, _ = samples("multioutput")
    module = nn.Sequential(*linears(6, 3))
    z = run(module, X)
    assert_allclose(MLPRegressor.from_torch(module).predict(X), z, rtol=1e-12, atol=1e-15)
    assert_allclose(MLPRegressor.from_torch(module, loss="poisson").predict(X), np.exp(z), rtol=1e-12)
    single = nn.Sequential(*linears(6, 1), nn.Identity())
    assert MLPRegressor.from_torch(single).predict(X).shape == (len(X),)


def test_dropout_that_is_off_is_left_out(samples):
    first, second = linears(6, 5, 3)
    module = nn.Sequential(nn.Sequential(first, nn.ReLU(), nn.Dropout(0.5)), nn.Dropout(0), second)
    with pytest.raises(ValueError, match=r"layer 0\.2 \(Dropout\) makes the module's outputs random.*module.eval\(\)"):
        MLPRegressor.from_torch(module)
    module.eval()
    X, _ = samples("multioutput")
    assert_allclose(MLPRegressor.from_torch(module).predict(X), run(module, X), rtol=1e-12, atol=1e-15)


def test_modules_of_other_makes(samples):
    """Names for layers, one activation in two places, no biases, no activation."""
    first, second, third = linears(6, 5, 4, 3)
    X, _ = samples("multioutput")
    relu = nn.ReLU(inplace=True)
    bare = nn.Linear(4, 3, bias=False, dtype=torch.float64)
    for module in (
        nn.Sequential(OrderedDict(a=first, b=relu, c=second, d=relu, e=bare)),
        nn.Sequential(first, second, third),
        nn.Sequential(first, nn.Identity(), second, third),
    ):
        model = MLPRegressor.from_torch(module)
        assert_allclose(model.predict(X), run(module, X.copy()), rtol=1e-11, atol=1e-14)
        assert model.partial_fit(X, X[:, :3]).n_iter_ == 1


class Mine(nn.Sequential):
    def forward(self, x):
        return x


ONE, TWO = linears(6, 5, 3)
SINGLE = nn.Linear(5, 3, dtype=torch.float32)


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (ONE, TypeError, "must be a torch.nn.Sequential, got Linear"),
        (None, TypeError, "must be a torch.nn.Sequential, got NoneType"),
        (Mine(ONE), TypeError, "must be a torch.nn.Sequential, got Mine"),
        (nn.Sequential(ONE, Mine(TWO)), TypeError, "got Mine"),
        (nn.Sequential(), ValueError, "no linear layer"),
        (nn.Sequential(nn.Flatten(), ONE), ValueError, r"layer 0 \(Flatten\) comes before the first linear layer"),
        (nn.Sequential(ONE, nn.ReLU(), nn.Tanh(), TWO), ValueError, r"layer 2 \(Tanh\) follows another activation"),
        (nn.Sequential(ONE, nn.BatchNorm1d(5), nn.ReLU(), TWO), ValueError, r"layer 1 \(BatchNorm1d\).*fuse_linear_bn"),
        (nn.Sequential(ONE, nn.Hardswish(), TWO), ValueError, r"layer 1 \(Hardswish\) cannot be here; known are Ident"),
        (nn.Sequential(ONE, nn.Softmax(dim=1), TWO), ValueError, r"layer 1 \(Softmax\) cannot be here"),
        (nn.Sequential(ONE, nn.ReLU(), TWO, nn.ReLU()), ValueError, r"layer 3 \(ReLU\) cannot be here"),
        (nn.Sequential(ONE, nn.ReLU(), TWO, nn.Softmax(dim=0)), ValueError, r"layer 3 \(Softmax\).*dim must be 1"),
        (
            nn.Sequential(ONE, nn.ReLU(), nn.Linear(5, 5, dtype=torch.float64), nn.Tanh(), TWO),
            ValueError,
            r"all hidden activations must be the same, but layer 3 \(Tanh\) is not relu",
        ),
        (
            nn.Sequential(ONE, nn.ReLU(), nn.Linear(5, 5, dtype=torch.float64), TWO),
            ValueError,
            "but a layer without activation is not relu",
        ),
        (nn.Sequential(ONE, nn.ReLU(), SINGLE), ValueError, "all of float64, got torch.float32, torch.float64"),
        (nn.Sequential(*linears(6, 3, dtype=torch.bfloat16)), ValueError, "got torch.bfloat16"),
        (nn.Sequential(ONE, nn.ReLU(), *linears(4, 3)), ValueError, r"layer 2 \(Linear\) does not fit"),
        (nn.Sequential(nn.LSTM(6, 5)), ValueError, r"layer 0 \(LSTM\)"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, str) else "",
)
def test_what_no_estimator_is(module, error, message):
    with pytest.raises(error, match=message):
        MLPRegressor.from_torch(module)


def test_weights_that_are_not_finite():
    module = nn.Sequential(*linears(2, 1))
    with torch.no_grad():
        module[0].bias.fill_(torch.inf)
    with pytest.raises(ValueError, match=r"layer 0 \(Linear\) has values that are not finite"):
        MLPRegressor.from_torch(module)


def test_classes_and_parameters_that_do_not_fit():
    three, one = nn.Sequential(ONE, nn.ReLU(), TWO), nn.Sequential(*linears(6, 1))
    with pytest.raises(ValueError, match=r"3 classes are needed for 3 outputs, got \[1, 2\]"):
        MLPClassifier.from_torch(three, classes=[1, 2])
    with pytest.raises(ValueError, match=r"2 classes are needed for 1 outputs"):
        MLPClassifier.from_torch(one, classes=[1])
    with pytest.raises(ValueError, match="classes must be different"):
        MLPClassifier.from_torch(three, classes=[1, 2, 1])
    with pytest.raises(ValueError, match="1 outputs after softmax are no probabilities"):
        MLPClassifier.from_torch(nn.Sequential(*one, nn.Softmax(dim=1)))
    with pytest.raises(ValueError, match="MLPRegressor has none"):
        MLPRegressor.from_torch(three, classes=[1, 2, 3])
    with pytest.raises(ValueError, match="a regressor with loss='squared_error' has no softmax outputs"):
        MLPRegressor.from_torch(nn.Sequential(*three, nn.Softmax(dim=1)))
    rates = MLPRegressor.from_torch(one, loss="poisson").to_torch()
    with pytest.raises(ValueError, match="loss='squared_error' has no exp outputs"):
        MLPRegressor.from_torch(rates, loss="squared_error")
    with pytest.raises(ValueError, match="1 outputs after exp are no probabilities"):
        MLPClassifier.from_torch(rates)
    with pytest.raises(ValueError, match="activation and hidden_layer_sizes cannot be given"):
        MLPClassifier.from_torch(three, hidden_layer_sizes=(5,), activation="relu")
    with pytest.raises(ValueError, match="'alpha' parameter"):
        MLPClassifier.from_torch(three, alpha=-1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'beta'"):
        MLPClassifier.from_torch(three, beta=1)


def test_subclasses():
    class Special(MLPClassifier):
        pass

    assert type(Special.from_torch(nn.Sequential(ONE, nn.ReLU(), TWO))) is Special


@pytest.mark.parametrize(
    "layer",
    [nn.GELU(approximate="tanh"), nn.LeakyReLU(0.2), nn.ELU(2.0), nn.Softplus(beta=2), nn.Softplus(threshold=5)],
    ids=repr,
)
def test_settings_of_activations_are_not_dropped(layer):
    module = nn.Sequential(nn.Linear(2, 3), layer, nn.Linear(3, 1))
    with pytest.raises(ValueError, match="only with default settings"):
        MLPRegressor.from_torch(module)


def test_in_place_is_no_setting():
    module = nn.Sequential(nn.Linear(2, 3), nn.SiLU(inplace=True), nn.Linear(3, 1))
    assert MLPRegressor.from_torch(module).activation == "silu"
