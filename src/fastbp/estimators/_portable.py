"""Pickles, copies, files and conversions of estimators."""

import copy
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import sklearn
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning

from fastbp import interop
from fastbp.estimators._parameters import check_parameters
from fastbp.estimators._validation import hidden_sizes

# Here and not when it is called: after `patch_sklearn`, scikit-learn's names stand for our own classes.
from fastbp.interop.sklearn import SklearnMLP
from fastbp.kernels.functions.optimizers import AdamW
from fastbp.network.optimizer_state import OptimizerState
from fastbp.training.caller import warn_caller

if TYPE_CHECKING:
    import onnx
    import torch

__all__ = ["Portable"]


class Portable(BaseEstimator):
    """Pickles, copies, files and conversions of an estimator. None of its methods changes the estimator.

    A pickle holds weights, and the optimizer's moments only if they are likely to be needed: with
    ``warm_start=True``, and if the last call of training was one of `partial_fit`. Its state is made of builtin
    types, NumPy's and scikit-learn's.
    """

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        optimizer = state.get("_optimizer")
        if optimizer is not None:
            needed = self.warm_start or getattr(self, "_half_trained", False)
            state["_optimizer"] = (optimizer if needed else optimizer.restarted()).as_dict()
        # As scikit-learn's own estimators do; its base class does it for no others.
        return {**state, "_sklearn_version": sklearn.__version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        written, installed = state.pop("_sklearn_version", sklearn.__version__), sklearn.__version__
        if written != installed:
            warn_caller(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=installed,
                    original_sklearn_version=written,
                )
            )
        if state.get("_optimizer") is not None:
            state["_optimizer"] = OptimizerState.from_dict(state["_optimizer"])
        super().__setstate__(state)
        # fastbp 0.5 did not have it.
        self.__dict__.setdefault("weight_decay", AdamW.weight_decay)

    def _whole_state(self) -> dict[str, Any]:
        """Return the state, always with the optimizer's moments."""
        state = self.__getstate__()
        if state.get("_optimizer") is not None:
            state["_optimizer"] = self._optimizer.as_dict()
        return state

    def __copy__(self) -> Self:
        result = type(self).__new__(type(self))
        result.__setstate__(self._whole_state())
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        result = type(self).__new__(type(self))
        memo[id(self)] = result
        result.__setstate__(copy.deepcopy(self._whole_state(), memo))
        return result

    def _check_parameters(self) -> None:
        check_parameters(self, self._parameter_rules)
        hidden_sizes(self.hidden_layer_sizes)

    # The rest is documented and implemented in `fastbp.interop`.

    def save(self, path: str | PathLike[str]) -> None:
        """Write the estimator to one file: `fastbp.interop.save`."""
        interop.save(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Return the estimator that `save` has written: `fastbp.interop.load`."""
        return interop.load(cls, path)

    def to_torch(self) -> "torch.nn.Sequential":
        """Return the fitted network as a PyTorch module: `fastbp.interop.to_torch`."""
        return interop.to_torch(self)

    @classmethod
    def from_torch(cls, module: "torch.nn.Sequential", *, classes: ArrayLike | None = None, **params: Any) -> Self:
        """Return a fitted estimator with the layers of a PyTorch module: `fastbp.interop.from_torch`."""
        return interop.from_torch(cls, module, classes=classes, **params)

    def to_onnx(self) -> "onnx.ModelProto":
        """Return the fitted network as an ONNX model: `fastbp.interop.to_onnx`."""
        return interop.to_onnx(self)

    @classmethod
    def from_sklearn(cls, fitted: SklearnMLP) -> Self:
        """Return an estimator that goes on from where one of scikit-learn is: `fastbp.interop.from_sklearn`."""
        return interop.from_sklearn(cls, fitted)

    def to_sklearn(self) -> SklearnMLP:
        """Return scikit-learn's estimator with the same weights: `fastbp.interop.to_sklearn`."""
        return interop.to_sklearn(self)
