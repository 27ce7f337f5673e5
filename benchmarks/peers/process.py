"""A peer's process, as the driver sees it: stopped except during its turns.

Threads of OpenMP and Eigen spin while they wait for work, and fastbp's poll now and then. They would slow down the
other peers; a stopped process does not.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from benchmarks.common import cpus
from benchmarks.peers.rivals import TITLES

_ROOT = Path(__file__).parents[2]


class Died(Exception):
    """A worker has ended unexpectedly."""


class Peer:
    """A running worker, on as many CPUs as it has threads.

    `version` is the library's version once the worker is `ready`, or empty; `missing` says why the peer cannot run.
    """

    def __init__(self, name: str, threads: int, dtype: str) -> None:
        self.name, self.threads = name, threads
        self.version = self.missing = ""
        # Ctrl-C reaches all processes of a terminal. The driver handles it; workers ignore it.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with cpus(threads):
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.peers.worker", name, str(threads), dtype],
                    cwd=_ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
        finally:
            signal.signal(signal.SIGINT, handler)
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        self._process.send_signal(signal.SIGCONT)
        self._process.communicate()

    def _freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        if self._process.returncode is None:
            _, status = os.waitpid(self.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode is not None:
            raise self._obituary()

    def _obituary(self) -> Died:
        status = self._process.wait()
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
        return Died(f"{TITLES.get(self.name, self.name)} has died {how}; what it said, if anything, is above")

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise self._obituary()
        return json.loads(line)

    def ready(self) -> None:
        """Wait until the library is loaded or known to be missing; raises `Died` if the worker ends instead."""
        first = self._answer()
        self.version, self.missing = first.get("version", ""), first.get("missing", "")
        if not self.missing:
            self._freeze()

    def ask(self, call: str, **arguments: object) -> dict:
        """Call a method of `worker.Worker`; returns its result, or raises `Died` if the worker ends instead."""
        self._process.send_signal(signal.SIGCONT)
        try:
            print(json.dumps({"call": call, **arguments}), file=self._process.stdin, flush=True)
        except BrokenPipeError as error:
            raise self._obituary() from error
        answer = self._answer()
        self._freeze()
        return answer
