"""Progress of a training: a bar on a terminal, a few lines in a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fastbp import EpochReport, watch
from fastbp.cli._console import say

# Lines of progress in a log file, whatever the number of epochs.
N_LINES_IN_A_FILE = 10


class EpochLog:
    """The epoch reports of one training.

    Attributes
    ----------
    reports : list of fastbp.EpochReport
    """

    def __init__(self) -> None:
        self.reports: list[EpochReport] = []

    def median_seconds(self) -> float:
        """Return the median time of an epoch without its validation; the first may have compiled code."""
        return median(report.seconds for report in self.reports) if self.reports else 0.0

    def total_seconds(self) -> float:
        """Return the time of all epochs."""
        return sum(report.seconds for report in self.reports)


@contextmanager
def watch_training(console: Console, n_epochs: int, title: str = "training") -> Iterator[EpochLog]:
    """Show the progress of the fastbp training that runs in the with-block.

    Parameters
    ----------
    console : rich.console.Console
    n_epochs : int
        The most epochs there can be.
    title : str
    """
    log = EpochLog()
    show = _bar if console.is_interactive else _lines
    with show(console, n_epochs, title) as update:

        def record(report: EpochReport) -> None:
            log.reports.append(report)
            update(report)

        with watch(record):
            yield log


@contextmanager
def _bar(console: Console, n_epochs: int, title: str) -> Iterator[Callable[[EpochReport], None]]:
    columns = (
        TextColumn(title),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, refresh_per_second=5) as progress:
        task = progress.add_task(title, total=n_epochs, status="starting")
        # A second training may have fewer epochs.
        yield lambda report: progress.update(
            task, completed=report.epoch, total=report.max_epochs, status=_status(report)
        )


@contextmanager
def _lines(console: Console, _: int, title: str) -> Iterator[Callable[[EpochReport], None]]:
    def update(report: EpochReport) -> None:
        n_epochs = report.max_epochs
        step = max(1, n_epochs // N_LINES_IN_A_FILE)
        if report.epoch % step == 0 or report.epoch in (1, n_epochs):
            say(console, f"{title}  epoch {report.epoch}/{n_epochs}  {_status(report)}")

    yield update


def _status(report: EpochReport) -> str:
    if report.validation_score is None:
        return f"loss {report.loss:.4f}"
    # The score of a network is its negative loss.
    return f"loss {report.loss:.4f}  validation loss {-report.validation_score:.4f}"
