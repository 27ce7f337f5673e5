"""MLPRegressor: numbers in, numbers out."""

from collections.abc import Iterable
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if

from fastbp.estimators._base import BaseMLP, is_stochastic
from fastbp.estimators._parameters import LOSS_RULES, PARAMETERS, Rules, constraints
from fastbp.estimators._scores import r2
from fastbp.estimators._training import trains
from fastbp.estimators._validation import MatrixLike, check_values
from fastbp.kernels.functions.losses import LOSSES

__all__ = ["MLPRegressor"]


class MLPRegressor(RegressorMixin, BaseMLP):
    r"""Multi-layer perceptron regressor, a drop-in for `sklearn.neural_network.MLPRegressor`.

    With :math:`h_0 = x` and a hidden activation :math:`\phi`, layer :math:`l` computes

    .. math::
        z_l = h_{l-1} W_l + b_l, \qquad h_l = \phi(z_l),

    and the prediction is :math:`z_L`, or :math:`e^{z_L}` for Poisson regression. Training minimizes,
    minibatch by minibatch, the loss plus an L2 penalty,

    .. math::
        \frac{1}{S} \sum_{i} s_i \, \mathrm{loss}(y_i, p_i) + \frac{\alpha}{2 S} \sum_l \|W_l\|_F^2,

    where :math:`s_i` are the sample weights (1 by default) and :math:`S` is their sum over the *minibatch*: a given
    `alpha` acts more strongly with smaller batches. Biases are not penalized. The initial weights, the order of the
    random numbers and every update are those of scikit-learn 1.9.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, default="squared_error"
        Half the squared error :math:`(y - p)^2 / 2`, or half the Poisson deviance
        :math:`y \log(y / p) - y + p`, which needs ``y >= 0``. With several outputs the reported squared error
        is their mean while the gradient is that of their sum, as in scikit-learn.
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers, from the input on. An empty sequence gives linear (or Poisson)
        regression.
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
        Whether `fit` goes on from the weights of the last call. Layers and outputs must be the same; the
        optimizer starts afresh, while the best loss and the count of epochs without improvement are carried
        on.
    momentum : float, default=0.9
        Momentum of ``solver="sgd"``, in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether momentum is Nesterov's.
    early_stopping : bool, default=False
        Whether to set part of the data aside, to judge improvement by R² on it, and to keep the weights of
        the best epoch. ``solver="lbfgs"`` ignores it, with a UserWarning.
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
        Threads of `fit` and of `predict`: None chooses by the size of the work, -1 stands for all CPUs this
        process may use. The results do not depend on it.
    weight_decay : float, default=0.01
        For ``solver="adamw"``: each step shrinks the weights by this share, times the learning rate. This decoupled
        decay acts beside the penalty `alpha`, which stays in the loss.

    Attributes
    ----------
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
        R² on the validation set after each epoch (NaN for predictions that are not finite); None without
        `early_stopping`.
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
        Number of target values of a sample.
    out_activation_ : {"identity", "exp"}
        Activation of the output layer.

    See Also
    --------
    MLPClassifier : The same network for labels.
    fastbp.MLP : The same network for arrays, without scikit-learn.

    Notes
    -----
    Deliberate differences from scikit-learn: training ends at the first loss that is not finite; a
    minibatch whose weights sum to zero is skipped; with `warm_start` and `early_stopping` the weights of
    the best epoch cannot be overwritten; a change of `hidden_layer_sizes` between warm starts and ``y < 0``
    with the Poisson loss are errors; and a call that raises leaves the estimator as it was before. For
    float32 `X`, the targets are cast to float32 and training is in float32 throughout; such a network
    predicts in float32 whatever the dtype of `X`.

    With scikit-learn 1.9 or newer there is `set_callbacks`. Every epoch (every iteration of "lbfgs") is a subtask of
    "fit" or "partial_fit". Callbacks receive `X` and `y` as they were passed, and can ask for the estimator as it would
    be if training ended now.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning", MIT Press 2016, sections 6.2 and 6.5.

    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010.

    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, arXiv:1412.6980.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbp import MLPRegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = MLPRegressor(hidden_layer_sizes=(30,), learning_rate_init=0.01, max_iter=500, random_state=0)
    >>> model.fit(X, np.sin(3 * X[:, 0])).score(X, np.sin(3 * X[:, 0])) > 0.95
    True
    """

    _parameter_rules: ClassVar[Rules] = {"loss": LOSS_RULES, **PARAMETERS}
    _parameter_constraints: ClassVar[dict[str, list]] = constraints(_parameter_rules)

    def __init__(
        self,
        loss: str = "squared_error",
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
        self.loss = loss
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
    def partial_fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on `X` and `y`, going on from the present weights and moments.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights of the samples; None stands for equal weights.

        Returns
        -------
        self : estimator
            The trained estimator. If the call raises, the estimator is as it was before.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def _encode(self, y: ArrayLike | None, dtype: np.dtype, *, incremental: bool) -> np.ndarray:
        """Return target values as an array of shape (n, n_outputs)."""
        y = check_values(self, y, dtype=dtype)
        lowest = LOSSES[self.loss].lowest_target
        if y.min() < lowest:
            raise ValueError(f"y must not be below {lowest:g} if loss={self.loss!r}, got {y.min():g}")
        return y

    def _task(self) -> tuple[str, str]:
        """Return the names of the loss and of the output activation."""
        return self.loss, LOSSES[self.loss].output

    def _validation_score(self, y: np.ndarray, output: np.ndarray, sample_weight: np.ndarray | None) -> float:
        return r2(y, output, sample_weight)

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict target values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions; one-dimensional if there is one output.
        """
        output = self._outputs_for(X)
        return output.ravel() if output.shape[1] == 1 else output

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
