"""Training on all samples at once: SciPy's L-BFGS-B on the fused loss and gradient."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import OptimizeResult
from scipy.optimize import minimize as scipy_minimize

from fastbp.network.spec import Network, Samples
from fastbp.training.caller import warn_caller
from fastbp.training.objective import Objective
from fastbp.training.progress import EpochReport, Observer, report

__all__ = ["Record", "minimize"]


@dataclass
class Record:
    """The state of a minimization.

    Attributes
    ----------
    n_iter : int
        Number of iterations.
    loss : float or None
        Loss at the parameters reached; None before the end of the first iteration.
    status : int or None
        SciPy's status at the end: 0 for convergence, 1 if iterations or calls ran out, 2 if a line search failed, 99
        if an observer ended it. None until then, and if the user interrupted the minimization.
    message : str
        SciPy's message about the status.
    """

    n_iter: int = 0
    loss: float | None = None
    status: int | None = None
    message: str = ""


class _Iterations:
    """Follows a minimization: records its progress and calls the observer."""

    def __init__(
        self,
        evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]],
        unpack: Callable[[np.ndarray], list[np.ndarray]],
        start: np.ndarray,
        record: Record,
        tell: Callable[[float, float], None],
        observer: Observer | None,
    ) -> None:
        self.reached = start
        self._evaluate = evaluate
        self._unpack = unpack
        self._record = record
        self._tell = tell
        self._observer = observer
        self._start = time.perf_counter()
        self._begun = False

    def evaluate(self, packed: np.ndarray) -> tuple[float, np.ndarray]:
        """Return loss and gradient; the first call begins an iteration."""
        if self._observer is not None and not self._begun:
            self._begun = True
            self._observer.begin(self.snapshot)
        return self._evaluate(packed)

    def end(self, intermediate_result: OptimizeResult) -> None:
        """Record the end of an iteration. SciPy requires this name of the parameter."""
        record = self._record
        loss, reached = float(intermediate_result.fun), intermediate_result.x.copy()
        # A single statement without calls, so that Ctrl-C cannot interrupt it halfway.
        record.n_iter, record.loss, self.reached = record.n_iter + 1, loss, reached
        now = time.perf_counter()
        seconds, self._start = now - self._start, now
        self._tell(loss, seconds)
        if self._observer is not None:
            self._begun = False
            if self._observer.end(self.snapshot):
                raise StopIteration

    def snapshot(self) -> list[np.ndarray]:
        """Return copies of the parameters after the last complete iteration."""
        return self._unpack(self.reached)


def minimize(
    weights: list[np.ndarray],
    biases: list[np.ndarray],
    network: Network,
    samples: Samples,
    *,
    weight_decay: float,
    max_iter: int,
    max_calls: int,
    tol: float,
    record: Record,
    n_threads: int | None = None,
    verbose: bool = False,
    observer: Observer | None = None,
) -> None:
    """Minimize the loss over all samples in place.

    Parameters
    ----------
    weights, biases : list of ndarray [read+write]
        Start values; the result is written to them. The computation is in float64, whatever their type.
    network, samples, weight_decay, n_threads
        See `objective.Objective`.
    max_iter : int
        Maximum number of iterations.
    max_calls : int
        Maximum number of evaluations of the loss; the last iteration is still completed.
    tol : float
        The minimization ends when no component of the gradient is larger than this, in absolute value.
    record : Record [read+write]
        A new record; updated after every iteration.
    verbose : bool, default=False
        Whether to print the loss of each iteration.
    observer : Observer or None, default=None
        Called at the beginning and the end of each iteration; may end the minimization.

    Warns
    -----
    UserWarning
        If KeyboardInterrupt ended it; the parameters are those of the last complete iteration.

    References
    ----------
    R. H. Byrd, P. Lu and J. Nocedal, "A limited memory algorithm for bound constrained optimization", SIAM Journal on
    Scientific and Statistical Computing 16 (1995).
    """
    parameters = [*weights, *biases]
    start = np.concatenate([np.asarray(p, dtype=np.float64).ravel() for p in parameters])

    def tell(loss: float, seconds: float) -> None:
        if verbose:
            print(f"Iteration {record.n_iter}, loss = {loss:.8f}")
        report(EpochReport(record.n_iter, max_iter, loss, None, samples.count, seconds))

    with Objective(network, samples, weight_decay=weight_decay, n_threads=n_threads) as objective:

        def unpack(packed: np.ndarray) -> list[np.ndarray]:
            return [part.astype(p.dtype) for part, p in zip(objective.unpack(packed), parameters, strict=True)]

        iterations = _Iterations(objective, unpack, start, record, tell, observer)
        options = {"maxfun": max_calls, "maxiter": max_iter, "gtol": tol}
        try:
            result = scipy_minimize(
                iterations.evaluate, start, method="L-BFGS-B", jac=True, callback=iterations.end, options=options
            )
        except KeyboardInterrupt:
            reached = iterations.reached
            warn_caller("Training interrupted by user.")
        else:
            reached = result.x
            record.n_iter, record.loss = min(result.nit, max_iter), float(result.fun)
            record.status, record.message = int(result.status), str(result.message)
        for parameter, value in zip(parameters, unpack(reached), strict=True):
            parameter[...] = value
