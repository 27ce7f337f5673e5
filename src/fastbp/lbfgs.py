"""Training on all samples at once: SciPy's L-BFGS-B on the fused loss and gradient."""

import time
import warnings
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult
from scipy.optimize import minimize as scipy_minimize

from fastbp.objective import Objective
from fastbp.plan import layer_sizes
from fastbp.progress import EpochReport, Observer, report
from fastbp.samples import SamplesLike

__all__ = ["Outcome", "minimize"]


class Outcome(NamedTuple):
    """What a minimization has come to.

    Attributes
    ----------
    n_iter : int
        Iterations.
    loss : float or None
        Loss at the parameters reached; None if the user ended the first iteration.
    status : int
        SciPy's: 0 for convergence, 1 if iterations or calls ran out, 2 if a line search failed, 99 if an observer ended
        it; -1 if the user did.
    message : str
        What it says about the status.
    """

    n_iter: int
    loss: float | None
    status: int
    message: str


class _Iterations:
    """Follows a minimization: what it has reached, and who is told."""

    def __init__(
        self, objective: Objective, max_iter: int, n_samples: int, *, verbose: bool, observer: Observer | None
    ):
        self.objective = objective
        self.n_iter = 0
        self.loss: float | None = None
        self.reached: np.ndarray | None = None
        self._max_iter = max_iter
        self._n_samples = n_samples
        self._verbose = verbose
        self._observer = observer
        self._start = time.perf_counter()
        self._begun = False

    def evaluate(self, packed: np.ndarray) -> tuple[float, np.ndarray]:
        """Return loss and gradient; the first call of an iteration begins it."""
        if self.reached is None:
            self.reached = packed.copy()
        if self._observer is not None and not self._begun:
            self._begun = True
            self._observer.begin(self.snapshot)
        return self.objective(packed)

    def end(self, intermediate_result: OptimizeResult) -> None:
        """Take note of the end of an iteration. SciPy looks for this very name of the parameter."""
        self.n_iter += 1
        self.loss = loss = float(intermediate_result.fun)
        self.reached = intermediate_result.x.copy()
        now = time.perf_counter()
        seconds, self._start = now - self._start, now
        if self._verbose:
            print(f"Iteration {self.n_iter}, loss = {loss:.8f}")
        report(EpochReport(self.n_iter, self._max_iter, loss, None, self._n_samples, seconds))
        if self._observer is not None:
            self._begun = False
            if self._observer.end(self.snapshot):
                raise StopIteration

    def snapshot(self) -> list[np.ndarray]:
        """Return copies of the parameters that the last whole iteration has reached."""
        assert self.reached is not None
        return [part.copy() for part in self.objective.unpack(self.reached)]


def minimize(
    weights: list[np.ndarray],
    biases: list[np.ndarray],
    x: SamplesLike,
    y: np.ndarray,
    *,
    activation: str,
    loss: str,
    weight_decay: float,
    max_iter: int,
    max_calls: int,
    tol: float,
    sample_weight: np.ndarray | None = None,
    n_threads: int | None = None,
    verbose: bool = False,
    observer: Observer | None = None,
) -> Outcome:
    """Minimize the loss over all samples in place.

    Parameters
    ----------
    weights, biases : list of ndarray [read+write]
        Where to start, and then what was reached. The computation is in float64 whatever they are.
    x, y, activation, loss, weight_decay, sample_weight, n_threads
        See `objective.Objective`.
    max_iter : int
        Iterations at most.
    max_calls : int
        Evaluations of the loss at most; the last iteration is finished.
    tol : float
        The minimization ends when no component of the gradient is larger.
    verbose : bool, default=False
        Whether to print the loss of each iteration.
    observer : Observer or None, default=None
        Told of the beginning and the end of each iteration; may end the minimization.

    Returns
    -------
    Outcome

    Warns
    -----
    UserWarning
        If KeyboardInterrupt ended it; the parameters are those of the last whole iteration.

    References
    ----------
    R. H. Byrd, P. Lu and J. Nocedal, "A limited memory algorithm for bound constrained optimization", SIAM Journal on
    Scientific and Statistical Computing 16 (1995).
    """
    parameters = [*weights, *biases]
    start = np.concatenate([np.asarray(p, dtype=np.float64).ravel() for p in parameters])
    with Objective(
        layer_sizes(weights),
        x,
        y,
        activation=activation,
        loss=loss,
        weight_decay=weight_decay,
        sample_weight=sample_weight,
        n_threads=n_threads,
    ) as objective:
        iterations = _Iterations(objective, max_iter, len(x), verbose=verbose, observer=observer)
        options = {"maxfun": max_calls, "maxiter": max_iter, "gtol": tol}
        try:
            result = scipy_minimize(
                iterations.evaluate, start, method="L-BFGS-B", jac=True, callback=iterations.end, options=options
            )
        except KeyboardInterrupt:
            reached = start if iterations.reached is None else iterations.reached
            outcome = Outcome(iterations.n_iter, iterations.loss, -1, "interrupted")
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=2)
        else:
            reached = result.x
            outcome = Outcome(min(result.nit, max_iter), float(result.fun), int(result.status), str(result.message))
        for parameter, part in zip(parameters, objective.unpack(reached), strict=True):
            parameter[...] = part
    return outcome
