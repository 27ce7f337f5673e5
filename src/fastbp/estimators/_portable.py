"""Estimators that travel: what a pickle holds, files, and networks of other libraries."""

import copy
import warnings
from os import PathLike
from pathlib import Path
from typing import Self

import sklearn
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

from fastbp.estimators._parameters import check_parameters
from fastbp.estimators._validation import hidden_sizes

# At the top, though few need it: it must see scikit-learn's own classes, before `patch_sklearn` puts ours there.
from fastbp.interop import sklearn as scikit_learn
from fastbp.network.optimizer_state import OptimizerState

__all__ = ["Portable"]


class Portable:
    """Pickles, copies, files and conversions of an estimator. None of its methods changes the estimator.

    A pickle holds weights, and the optimizer's moments only if they are likely to be needed: with
    ``warm_start=True``, and if the last call of training was one of `partial_fit`. Its state is made of builtin
    types, NumPy's and scikit-learn's.
    """

    def __getstate__(self):
        state = dict(super().__getstate__())
        optimizer = state.get("_optimizer")
        if optimizer is not None:
            needed = self.warm_start or getattr(self, "_half_trained", False)
            state["_optimizer"] = (optimizer if needed else optimizer.restarted()).as_dict()
        # As scikit-learn's own estimators do; its base class does it for no others.
        return {**state, "_sklearn_version": sklearn.__version__}

    def __setstate__(self, state):
        state = dict(state)
        written, installed = state.pop("_sklearn_version", sklearn.__version__), sklearn.__version__
        if written != installed:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=installed,
                    original_sklearn_version=written,
                ),
                stacklevel=2,
            )
        if state.get("_optimizer") is not None:
            state["_optimizer"] = OptimizerState.from_dict(state["_optimizer"])
        super().__setstate__(state)

    def _whole_state(self):
        """Return the state with the optimizer's moments, whoever may need them."""
        state = self.__getstate__()
        if state.get("_optimizer") is not None:
            state["_optimizer"] = self._optimizer.as_dict()
        return state

    def __copy__(self):
        result = type(self).__new__(type(self))
        result.__setstate__(self._whole_state())
        return result

    def __deepcopy__(self, memo):
        result = type(self).__new__(type(self))
        memo[id(self)] = result
        result.__setstate__(copy.deepcopy(self._whole_state(), memo))
        return result

    def _check_parameters(self):
        check_parameters(self, self._parameter_rules)
        hidden_sizes(self.hidden_layer_sizes)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the estimator to one file, atomically: arrays and a description in JSON, no code.

        Parameters, fitted attributes and, where a pickle would hold them too, the optimizer's moments. Callbacks
        are not part of it.

        Parameters
        ----------
        path : str or path-like
            A file in the format safetensors. Any suffix; ".safetensors" is the usual one.

        Raises
        ------
        ValueError
            If the estimator has something that has no place in such a file, as an attribute that a subclass has
            set, or a parameter that it must not have.
        OSError
            If the file cannot be written. What was there before is then still there.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sklearn.datasets import load_iris
        >>> from fastbp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier(max_iter=500, random_state=0).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "iris.safetensors"
        ...     model.save(path)
        ...     again = MLPClassifier.load(path)
        >>> bool((again.predict_proba(X) == model.predict_proba(X)).all())
        True
        """
        from fastbp.interop import safetensors

        safetensors.save(self, Path(path))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Return the estimator that `save` has written.

        Nothing that a file holds is run, and no more memory is taken than in proportion to its size. A checksum
        finds damage; it is no protection from somebody who changes a file and the checksum with it.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        model : estimator
            With all attributes of the one that was saved, bit for bit.

        Raises
        ------
        ValueError
            If the file is damaged, not one of `save`, or holds an estimator of another class. The message names
            the file.
        OSError
            If the file cannot be read.
        """
        from fastbp.interop import safetensors

        return safetensors.load(cls, Path(path))

    def to_torch(self):
        """Return the fitted network as a PyTorch module, with memory of its own.

        Returns
        -------
        module : torch.nn.Sequential
            Linear layers, activations, and the activation of the output layer where it is not the identity; of
            the dtype of the weights. For samples of shape (n, n_features_in_) its output is that of the output
            layer: of shape (n, n_outputs_), also for a single output. For a regressor these are the predicted
            values; the exponential function of Poisson regression is a module ``fastbp.interop.torch.Exp``. For a
            classifier they are the probabilities of the classes, or of the labels of multilabel targets; *for two
            classes it is one column, the probability of* ``classes_[1]``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> import torch
        >>> from sklearn.datasets import load_iris
        >>> from fastbp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier((20,), max_iter=2000, random_state=0).fit(X, y)
        >>> module = model.to_torch()
        >>> module
        Sequential(
          (0): Linear(in_features=4, out_features=20, bias=True)
          (1): ReLU()
          (2): Linear(in_features=20, out_features=3, bias=True)
          (3): Softmax(dim=1)
        )
        >>> with torch.no_grad():
        ...     proba = module(torch.from_numpy(X)).numpy()
        >>> bool(abs(proba - model.predict_proba(X)).max() < 1e-12)
        True
        """
        from fastbp.interop import torch

        check_is_fitted(self)
        return torch.to_torch(self)

    @classmethod
    def from_torch(cls, module, *, classes=None, **params) -> Self:
        """Return a fitted estimator with the layers of a PyTorch module, for predictions and further training.

        Parameters
        ----------
        module : torch.nn.Sequential
            Linear layers of float32 or float64, each but the last followed by the same activation: ReLU, Tanh,
            Sigmoid, Identity or none. Sequences within the sequence are taken apart. Dropout is left out, if it is
            switched off by ``module.eval()``; training goes on without it. A missing bias is one of zeros, and is
            trained.

            After the last layer of a classifier may come Softmax, LogSoftmax or Sigmoid. Without any of them its
            outputs are taken for logits of exclusive classes. Two such outputs, or two before Softmax, become one,
            their difference; several before Sigmoid are labels of multilabel targets. After the last layer of a
            regressor may come ``fastbp.interop.torch.Exp``, of Poisson regression. Without it, the outputs are
            values, or with ``loss="poisson"`` their logarithms.
        classes : array-like of shape (n_classes,), default=None
            Labels of a classifier's outputs, in the order of the outputs; of a single output, the labels for 0 and
            1. None stands for 0, 1, 2 and so on.
        **params
            Parameters of the estimator. `hidden_layer_sizes` and, if there are hidden layers, `activation` are
            the module's.

        Returns
        -------
        model : estimator
            Its weights are copies. `partial_fit` goes on from them, with fresh moments.

        Raises
        ------
        TypeError
            If it is no ``torch.nn.Sequential``.
        ValueError
            If there is a layer that the estimator cannot have, or classes and parameters do not fit. The message
            names the layer.

        Examples
        --------
        >>> from torch import nn
        >>> from fastbp import MLPClassifier
        >>> module = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 3))
        >>> model = MLPClassifier.from_torch(module, classes=["setosa", "versicolor", "virginica"], alpha=0)
        >>> model
        MLPClassifier(alpha=0, hidden_layer_sizes=(20,))
        >>> model.predict([[5.1, 3.5, 1.4, 0.2]]).shape
        (1,)
        """
        from fastbp.interop import torch

        return torch.from_torch(cls, module, classes, params)

    def to_onnx(self):
        """Return the fitted network as an ONNX model.

        For pipelines see `fastbp.estimators.skl2onnx.register`.

        Returns
        -------
        model : onnx.ModelProto
            It takes ``X`` of shape (n, n_features_in_), n being free, in the dtype of the weights. A classifier
            gives ``label``, strings or 64-bit integers, and ``probabilities`` of shape (n, n_classes); a regressor
            gives ``variable`` of shape (n, n_outputs_), also for a single output. Operators are those of opset 13.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> import onnxruntime
        >>> from sklearn.datasets import load_iris
        >>> from fastbp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> X = X.astype(np.float32)
        >>> model = MLPClassifier(max_iter=500, random_state=0).fit(X, y)
        >>> graph = model.to_onnx().SerializeToString()
        >>> session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        >>> label, probabilities = session.run(["label", "probabilities"], {"X": X})
        >>> bool((label == model.predict(X)).all())
        True
        """
        from fastbp.interop import onnx

        check_is_fitted(self)
        return onnx.to_onnx(self)

    @classmethod
    def from_sklearn(cls, fitted) -> Self:
        """Return an estimator that goes on from where one of scikit-learn is.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPClassifier or MLPRegressor
            A fitted estimator, of the kind of this class.

        Returns
        -------
        model : estimator
            With its parameters, fitted attributes and, after ``solver="adam"`` or ``"sgd"``, moments, all copied:
            `partial_fit` goes on as it would there.

        Raises
        ------
        TypeError
            If it is something else.
        NotFittedError
            If it is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.neural_network import MLPRegressor as TheirRegressor
        >>> from fastbp import MLPRegressor
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> theirs = TheirRegressor(max_iter=1000, random_state=0).fit(X, X[:, 0] ** 2)
        >>> ours = MLPRegressor.from_sklearn(theirs)
        >>> bool(abs(ours.predict(X) - theirs.predict(X)).max() < 1e-12)
        True
        """
        return scikit_learn.from_sklearn(cls, fitted)

    def to_sklearn(self):
        """Return scikit-learn's estimator with the same parameters, weights and fitted attributes.

        Returns
        -------
        fitted : sklearn.neural_network.MLPClassifier or MLPRegressor
            Its predictions are the same but for rounding, and it can be trained further. The optimizer's moments
            are *not* among its attributes, because scikit-learn's optimizers are private: `partial_fit` goes on
            from the weights, with fresh moments. `n_jobs` is dropped.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the installed scikit-learn does not have the loss.

        Examples
        --------
        >>> import numpy as np
        >>> from fastbp import MLPRegressor
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> ours = MLPRegressor(max_iter=1000, random_state=0).fit(X, X[:, 0] ** 2)
        >>> theirs = ours.to_sklearn()
        >>> type(theirs).__module__.partition(".")[0]
        'sklearn'
        >>> bool(abs(ours.predict(X) - theirs.predict(X)).max() < 1e-12)
        True
        """
        check_is_fitted(self)
        return scikit_learn.to_sklearn(self)
