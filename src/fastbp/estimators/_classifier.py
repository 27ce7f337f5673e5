"""MLPClassifier: labels in, probabilities out."""

from collections.abc import Iterable
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels

from fastbp.estimators._base import BaseMLP, is_stochastic
from fastbp.estimators._scores import accuracy
from fastbp.estimators._training import trains
from fastbp.estimators._validation import Matrix, MatrixLike, check_labels, naming

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, BaseMLP):
    r"""Multi-layer perceptron classifier, a drop-in for `sklearn.neural_network.MLPClassifier`.

    With :math:`h_0 = x` and a hidden activation :math:`\phi`, layer :math:`l` computes

    .. math::
        z_l = h_{l-1} W_l + b_l, \qquad h_l = \phi(z_l),

    and the last layer gives probabilities: :math:`\mathrm{softmax}(z_L)` for three classes or more,
    :math:`1 / (1 + e^{-z_L})` for two classes and for each label of multilabel targets. Training minimizes,
    minibatch by minibatch, the cross-entropy plus an L2 penalty,

    .. math::
        \frac{1}{S} \sum_{i} s_i \, \mathrm{CE}(y_i, p_i) + \frac{\alpha}{2 S} \sum_l \|W_l\|_F^2,

    where :math:`s_i` are the sample weights (1 by default) and :math:`S` is their sum over the *minibatch*: a given
    `alpha` acts more strongly with smaller batches. Biases are not penalized. The initial weights, the order of the
    random numbers and every update are those of scikit-learn 1.9.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers, from the input on. An empty sequence gives logistic regression.
    activation : str, default="relu"
        Hidden activation. scikit-learn's are "identity", ``z``, "logistic", ``1 / (1 + exp(-z))``, "tanh" and "relu",
        ``max(0, z)``. There are also "gelu", "silu", "mish", "selu", "elu", "leaky_relu" and "softplus": PyTorch's
        functions of these names, with its default settings.
    solver : {"lbfgs", "sgd", "adam", "adamw"}, default="adam"
        How weights are updated. "sgd" is gradient descent with momentum. "adam" scales each step by running averages of
        the gradient and its square; "adamw" is PyTorch's AdamW, see `weight_decay`. "lbfgs" is SciPy's L-BFGS-B on the
        whole training set, for small data.
    alpha : float, default=0.0001
        Strength of the L2 penalty, see above.
    batch_size : int or "auto", default="auto"
        Rows in a minibatch; "auto" is ``min(200, n_samples)``. The last batch of an epoch may be shorter.
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        Schedule of the learning rate for ``solver="sgd"``:

        - "constant": always `learning_rate_init`.
        - "invscaling": ``learning_rate_init / (t_ + 1)**power_t`` after each epoch; ``t_`` counts samples.
        - "adaptive": divided by 5 when more than `n_iter_no_change` epochs in a row bring no improvement by
          `tol`; training ends once it is at most 1e-6.
    learning_rate_init : float, default=0.001
        Initial step size.
    power_t : float, default=0.5
        Exponent of the "invscaling" schedule.
    max_iter : int, default=200
        Epochs at most.
    shuffle : bool, default=True
        Whether to visit the samples in a new random order in each epoch.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the validation split and the shuffling. An integer starts the same
        sequence in each call of `fit` and of `partial_fit`; an instance is advanced by each call.
    tol : float, default=1e-4
        The least improvement that counts, in loss or (with `early_stopping`) in validation score.
    verbose : bool or int, default=False
        Whether to print the loss of each epoch.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last call. The classes and layers must be the same; the
        optimizer starts afresh, while the best loss and the count of epochs without improvement are carried
        on.
    momentum : float, default=0.9
        Momentum of ``solver="sgd"``, in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether momentum is Nesterov's.
    early_stopping : bool, default=False
        Whether to set part of the data aside, to judge improvement by the accuracy on it, and to keep the weights of
        the best epoch. The split is stratified for two classes only, as in scikit-learn. ``solver="lbfgs"`` ignores it,
        with a UserWarning.
    validation_fraction : float, default=0.1
        Share of the samples set aside by `early_stopping`.
    beta_1, beta_2 : float, default=0.9 and 0.999
        Decay rates of Adam's averages of the gradient and of its square, in [0, 1).
    epsilon : float, default=1e-8
        Keeps Adam from dividing by zero.
    n_iter_no_change : int or inf, default=10
        Training stops when *more* than this many epochs in a row bring no improvement.
    max_fun : int, default=15000
        Calls of the loss function at most, for ``solver="lbfgs"``.
    n_jobs : int or None, default=None
        Threads of `fit` and of the predictions: None chooses by the size of the work, -1 stands for all CPUs
        this process may use. The results do not depend on it.
    weight_decay : float, default=0.01
        For ``solver="adamw"``: each step shrinks the weights by this share, times the learning rate. This decoupled
        decay acts beside the penalty `alpha`, which stays in the loss.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; for multilabel targets the numbers of the labels.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weight matrix of each layer.
    intercepts_ : list of ndarray of shape (n_out,)
        Bias vector of each layer.
    loss_ : float
        Loss of the last epoch: the mean of the expression above over its minibatches, weighted by row counts.
    loss_curve_ : list of float
        Loss of each epoch, over warm starts and calls of `partial_fit`.
    best_loss_ : float or None
        Lowest loss; None with `early_stopping`.
    validation_scores_ : list of float or None
        Accuracy on the validation set after each epoch; None without `early_stopping`.
    best_validation_score_ : float or None
        The highest of these; `coefs_` and `intercepts_` are those it was reached with.
    n_iter_ : int
        Epochs of the last call.
    t_ : int
        Samples seen in training, over all calls.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features. Defined only when `X` has feature names that are all strings.
    n_layers_ : int
        Number of layers, input included.
    n_outputs_ : int
        Units of the output layer: 1 for two classes.
    out_activation_ : {"softmax", "logistic"}
        Activation of the output layer.

    See Also
    --------
    MLPRegressor : The same network for numbers.
    fastbp.MLP : The same network for arrays, without scikit-learn.

    Notes
    -----
    Deliberate differences from scikit-learn: training ends at the first loss that is not finite; a minibatch whose
    weights sum to zero is skipped; with `warm_start` and `early_stopping` the weights of the best epoch are never
    overwritten; a change of `hidden_layer_sizes` between warm starts is an error; a call that raises leaves the
    estimator as it was. A network fitted on float32 predicts in float32 whatever the dtype of `X`. `predict_log_proba`
    is finite even where a probability rounds to 0.

    With scikit-learn 1.9 or newer there is `set_callbacks`. Every epoch (every iteration of "lbfgs") is a subtask of
    "fit" or "partial_fit". Callbacks receive `X` and `y` as they were passed, and can ask for the estimator as it would
    be if training ended now.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning", MIT Press 2016, sections 6.2 and 6.5.

    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.

    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, arXiv:1412.6980.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastbp import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((20,), learning_rate_init=0.01, max_iter=500, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    # scikit-learn's classifier has this as an attribute too, though it is no parameter.
    loss = "log_loss"

    def __init__(
        self,
        hidden_layer_sizes: int | Iterable[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        n_jobs: int | None = None,
        weight_decay: float = 0.01,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.n_jobs = n_jobs
        self.weight_decay = weight_decay

    @available_if(is_stochastic)
    @trains
    def partial_fit(
        self, X: MatrixLike, y: MatrixLike, sample_weight: ArrayLike | None = None, classes: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on `X` and `y`, going on from the present weights and moments.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels; not every class need be present.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights of the samples; None stands for equal weights.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur. Required in the first call; if given later, they must be the same.

        Returns
        -------
        self : estimator
            The trained estimator. If the call raises, the estimator is as it was before.
        """
        self._declare_classes(classes, y)
        return self._fit(X, y, sample_weight, incremental=True)

    def _declare_classes(self, classes: ArrayLike | None, y: MatrixLike) -> None:
        """Set the classes in the first call of `partial_fit`, and compare them in later ones."""
        known = getattr(self, "classes_", None)
        if classes is None:
            if known is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
        elif known is None:
            self.classes_ = unique_labels(classes)
            with naming("y"):
                multilabel = y is not None and type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)
        elif not np.array_equal(known, unique_labels(classes)):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}")

    def _encode(self, y: MatrixLike | None, dtype: np.dtype, *, incremental: bool) -> np.ndarray:
        """Return labels as an array of bool of shape (n, 1) for two classes, otherwise (n, n_classes)."""
        y = check_labels(self, y)
        with naming("y"):
            if not hasattr(self, "classes_") or not (self.warm_start or incremental):
                self._label_binarizer = LabelBinarizer().fit(y)
                self.classes_ = self._label_binarizer.classes_
            else:
                self._check_classes(unique_labels(y))
            if self._label_binarizer.y_type_ != "multiclass":
                return self._label_binarizer.transform(y).astype(bool)
        # What the binarizer does, with one byte instead of eight for each class and row.
        encoded = np.zeros((len(y), len(self.classes_)), dtype=bool)
        np.put_along_axis(encoded, np.searchsorted(self.classes_, y)[:, None], values=True, axis=1)
        return encoded

    def _check_classes(self, classes: np.ndarray) -> None:
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to "
                    f"fit. Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _task(self) -> tuple[str, Literal["softmax", "logistic"]]:
        """Return the names of the loss and of the output activation."""
        if self._label_binarizer.y_type_ == "multiclass":
            return "log_loss", "softmax"
        return "binary_log_loss", "logistic"

    def _validation_score(self, y: np.ndarray, output: np.ndarray, sample_weight: np.ndarray | None) -> float:
        if len(self.classes_) == 1:
            return 1.0
        if self._label_binarizer.y_type_ == "multiclass":
            y, output = y.argmax(axis=1)[:, None], output.argmax(axis=1)[:, None]
            return accuracy(y, output, sample_weight)
        return accuracy(y, output > 0.5, sample_weight)

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class of each sample, or for multilabel targets the labels of probability above 1/2.
        """
        output = self._outputs_for(X)
        return self._label_binarizer.inverse_transform(output.ravel() if self.n_outputs_ == 1 else output)

    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probability of each class, in the order of `classes_`; for multilabel targets of each label. Two
            columns even if only one class was seen in training. No probability is 0: what is too small for a
            float is the smallest one.
        """
        return self._probabilities(self._samples_for_prediction(X))

    def predict_log_proba(self, X: MatrixLike) -> np.ndarray:
        """Predict the logarithms of probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            ``log(predict_proba(X))``; where a probability is too small for a float, its exact logarithm, from the
            values before the output activation.
        """
        X = self._samples_for_prediction(X)
        log_proba = self._probabilities(X)
        least = log_proba <= np.finfo(log_proba.dtype).smallest_subnormal
        np.log(log_proba, out=log_proba)
        rows = least.any(axis=1)
        if rows.any():
            log_proba[least] = self._log_proba_of(self._class_outputs(X[rows], "identity"))[least[rows]]
        return log_proba

    def _probabilities(self, X: Matrix) -> np.ndarray:
        # Never 0, so that its logarithm agrees with `predict_log_proba` up to rounding.
        proba = self._class_outputs(X, self.out_activation_)
        return np.maximum(proba, np.finfo(proba.dtype).smallest_subnormal, out=proba)

    def _class_outputs(self, X: Matrix, out_activation: str) -> np.ndarray:
        """Return the outputs of the network with a column for each class.

        The first of two classes is computed from -z: 1 - p would lose digits for p near 1.
        """
        weights, biases = self._network()
        if self.n_outputs_ == 1:
            w, b = weights[-1], biases[-1]
            weights, biases = [*weights[:-1], np.hstack([-w, w])], [*biases[:-1], np.hstack([-b, b])]
        return self._forward(X, weights, biases, out_activation)

    def _log_proba_of(self, z: np.ndarray) -> np.ndarray:
        """Return the logarithms of probabilities from the values `z` before the output activation."""
        if self.out_activation_ == "softmax":
            z = z - z.max(axis=1, keepdims=True)
            return z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        # log(1 / (1 + exp(-z))) = -log(exp(0) + exp(-z))
        return -np.logaddexp(0, -z)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
