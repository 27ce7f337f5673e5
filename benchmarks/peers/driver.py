"""Measuring peers alternately: the check, the length of a measurement, pairs of times, and figures from them."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np

from benchmarks.common import Workload, cpus
from benchmarks.peers import check, roofline
from benchmarks.peers.process import Peer
from benchmarks.peers.rivals import TITLES

OURS = "fastbp"


class Effort(NamedTuple):
    """How long to measure: minibatches per epoch, seconds per turn and per workload, and rounds."""

    most_steps: int = 1000
    turn_seconds: float = 0.004
    seconds: float = 12.0
    least_rounds: int = 7
    most_rounds: int = 15


QUICK = Effort(most_steps=20, turn_seconds=0.0, seconds=0.0, least_rounds=2, most_rounds=2)


class Disagreement(Exception):
    """A peer computes different losses."""


class NothingToCompare(Exception):
    """There is no peer to compare with."""


class Times(NamedTuple):
    """The measured times: peers (fastbp first), minibatches per turn, seconds per step and machine for each round.

    Seconds are pairs, fastbp's and the rival's, by the rival's name.
    """

    peers: list[Peer]
    steps: int
    pairs: dict[str, list[tuple[float, float]]]
    machines: list[roofline.Machine]


@contextmanager
def started(names: list[str], threads: int, dtype: str) -> Iterator[tuple[list[Peer], dict[str, str]]]:
    """Start the peers' processes; yields those that run, fastbp first, and the reasons why others do not.

    A rival has a process with `threads` threads and one with a single thread, which may be faster; fastbp makes this
    choice by itself. Raises `NothingToCompare` if there is no rival, or no fastbp.
    """
    with ExitStack() as stack, cpus(threads):
        counts = {name: {threads} if name == OURS else {1, threads} for name in names}
        peers = [stack.enter_context(Peer(name, count, dtype)) for name in names for count in sorted(counts[name])]
        for peer in peers:
            peer.ready()
        missing = {peer.name: peer.missing for peer in peers if peer.missing}
        running = [peer for peer in peers if not peer.missing]
        if len(missing) > len(names) - 2 or OURS in missing:
            raise NothingToCompare(f"nothing to compare with: {missing}")
        yield running, missing


def check_losses(peers: list[Peer], workload: Workload, dtype: str) -> list[dict]:
    """Return the deviation from fastbp and the seconds of the first call of each peer, on the problem of `check`.

    Raises `Disagreement` if the losses of one differ from those of fastbp, which is the first.
    """
    answers = [peer.ask("check", sizes=workload.sizes, batch=workload.batch) for peer in peers]
    ours = answers[0]["losses"]
    figures = []
    for peer, answer in zip(peers, answers, strict=True):
        theirs = answer["losses"]
        if not check.agree(theirs, ours, workload, dtype):
            raise Disagreement(f"{workload}: {TITLES[peer.name]} has the losses {theirs}, fastbp has {ours}")
        figures.append({"first_call_s": answer["first_call_s"], "deviation": check.deviation(theirs, ours)})
    return figures


def plan(epoch_seconds: dict[str, float], effort: Effort) -> tuple[int, int]:
    """Return the number of epochs per turn and of rounds, from each peer's seconds per epoch."""
    epochs = max(1, math.ceil(effort.turn_seconds / epoch_seconds[OURS]))
    rivals = [time for name, time in epoch_seconds.items() if name != OURS]
    round_seconds = epochs * (sum(rivals) + len(rivals) * epoch_seconds[OURS])
    return epochs, int(np.clip(effort.seconds / round_seconds, effort.least_rounds, effort.most_rounds))


def fastest(peers: list[Peer], epoch_seconds: list[float]) -> dict[Peer, float]:
    """Return the fastest process of each peer, with its seconds per epoch."""
    chosen: dict[str, tuple[Peer, float]] = {}
    for peer, time in zip(peers, epoch_seconds, strict=True):
        if peer.name not in chosen or time < chosen[peer.name][1]:
            chosen[peer.name] = peer, time
    return dict(chosen.values())


def measure(peers: list[Peer], workload: Workload, dtype: str, threads: int, effort: Effort) -> Times:
    """Warm up all processes, then time fastbp and the fastest process of each rival."""
    # Enough minibatches to take a slow peer a few seconds, but no more than fit into memory.
    steps = int(np.clip(4e9 / workload.flops, 2, effort.most_steps))
    for peer in peers:
        peer.ask("load", sizes=workload.sizes, batch=workload.batch, steps=steps)
        peer.ask("train", epochs=1)
    chosen = fastest(peers, [peer.ask("train", epochs=1)["seconds"] for peer in peers])
    epochs, rounds = plan({peer.name: time for peer, time in chosen.items()}, effort)

    def turn(peer: Peer) -> float:
        return peer.ask("train", epochs=epochs)["seconds"] / (epochs * steps)

    ours, *rivals = chosen
    pairs: dict[str, list[tuple[float, float]]] = {peer.name: [] for peer in rivals}
    machines = []
    for number in range(rounds):
        machines.append(roofline.measure(dtype, threads))
        for peer in rivals:
            order = (ours, peer) if number % 2 == 0 else (peer, ours)
            taken = {each: turn(each) for each in order}
            pairs[peer.name].append((taken[ours], taken[peer]))
    return Times(list(chosen), epochs * steps, pairs, machines)


def summarize(workload: Workload, dtype: str, taken: Times) -> dict:
    """Return the figures of a workload, from its times."""
    machine = roofline.Machine(*np.median(taken.machines, axis=0).tolist())
    itemsize = np.dtype(dtype).itemsize
    ideal = roofline.step_seconds(workload, itemsize, machine)

    def figures(peer: Peer, times: np.ndarray) -> dict:
        median = float(np.median(times))
        return {
            "threads": peer.threads,
            "us": 1e6 * median,
            "us_least": 1e6 * float(times.min()),
            "gflops": workload.flops / median / 1e9,
            "of_roofline": ideal / median,
        }

    fastbp, *rivals = taken.peers
    peers = {OURS: figures(fastbp, np.concatenate([np.array(pairs)[:, 0] for pairs in taken.pairs.values()]))}
    for rival in rivals:
        ours, theirs = np.array(taken.pairs[rival.name]).T
        ratios = theirs / ours
        peers[rival.name] = figures(rival, theirs) | {
            "ratio": float(np.median(ratios)),
            "ratio_worst": float(ratios.min()),
            "ratios": ratios.tolist(),
        }
    return {
        "sizes": list(workload.sizes),
        "batch": workload.batch,
        "flops": workload.flops,
        "bytes": roofline.step_bytes(workload, itemsize),
        "peak_gflops": machine.gflops,
        "bandwidth_gbytes": machine.gbytes,
        "roofline_us": 1e6 * ideal,
        "rounds": len(taken.machines),
        "steps": taken.steps,
        "peers": peers,
    }


def compare(peers: list[Peer], workload: Workload, dtype: str, threads: int, effort: Effort) -> dict:
    """Check the peers, then time them; returns the figures of one workload."""
    checked = dict(zip(peers, check_losses(peers, workload, dtype), strict=True))
    taken = measure(peers, workload, dtype, threads, effort)
    figures = summarize(workload, dtype, taken)
    for peer in taken.peers:
        figures["peers"][peer.name] |= checked[peer]
    return figures
