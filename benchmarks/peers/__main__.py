"""Training steps of fastbp compared with those of scikit-learn, PyTorch, torch.compile and JAX.

    python -m benchmarks.peers --write            # measure everything, save it, and update docs/results.md
    python -m benchmarks.peers --saved benchmarks/results/peers-*.json --write

benchmarks/README.md describes what is measured and how. Needs the extra `bench`; peers that are not installed are
skipped, with a message.
"""

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.common import WORKLOADS
from benchmarks.documents import load_result, put_between
from benchmarks.peers import report
from benchmarks.peers.driver import OURS, QUICK, Disagreement, Effort, NothingToCompare, compare, started
from benchmarks.peers.process import Died
from benchmarks.peers.rivals import TITLES
from fastbp.threads.cpus import allowed_cpus

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
RIVALS = [name for name in TITLES if name != OURS]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options; `complete` says whether the run should be saved."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--threads", type=int, action="append", help="of each peer; repeatable (default: 1, and as many as CPUs)")
    add("--dtype", choices=("float32", "float64"), default="float32")
    add("--peers", nargs="+", choices=RIVALS, default=RIVALS, help="all unless said")
    add("--first", type=int, default=len(WORKLOADS), help="only the first so many of the standard workloads")
    add("--quick", action="store_true", help="a few steps, to see that everything works; the figures mean nothing")
    add("--saved", type=Path, nargs="+", help="measure nothing; take the results in these files")
    add("--write", action="store_true", help="put table and picture into docs/results.md and docs/img")
    options = parser.parse_args(arguments)
    options.threads = options.threads or sorted({1, allowed_cpus()})
    if not all(1 <= threads <= allowed_cpus() for threads in options.threads):
        parser.error(f"--threads must be between 1 and {allowed_cpus()}, the CPUs of this process")
    options.workloads = WORKLOADS[: options.first]
    options.complete = options.workloads == WORKLOADS and options.peers == RIVALS and not options.quick
    if options.write and not (options.complete or options.saved):
        parser.error("--write needs a complete run, or --saved")
    if options.write and find_spec("matplotlib") is None:
        parser.error("--write needs matplotlib")
    return options


def run(options: argparse.Namespace, threads: int) -> dict:
    """Measure all workloads on `threads` threads, print and save the result, and return it."""
    effort = QUICK if options.quick else Effort()
    with started([OURS, *options.peers], threads, options.dtype) as (peers, missing):
        versions = {peer.name: peer.version for peer in peers}
        result = report.header(threads, options.dtype, versions, missing)
        print(report.caption(result), flush=True)
        for workload in options.workloads:
            figures = compare(peers, workload, options.dtype, threads, effort)
            result["workloads"].append(report.rounded(figures))
            print(report.lines(result["workloads"][-1]), flush=True)
    if options.complete:
        print(f"saved as {report.save(result, RESULTS)}", flush=True)
    return result


def write(results: list[dict]) -> None:
    """Write the table and the picture into the documentation."""
    page = ROOT / "docs" / "results.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(put_between(text, report.BEGIN, report.END, report.section(results)), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "docs.img.make_peers"], cwd=ROOT, check=True)


def main() -> None:
    options = parse()
    try:
        if options.saved:
            results = [load_result(path, report.SCHEMA) for path in options.saved]
        else:
            results = [run(options, threads) for threads in options.threads]
    except (Died, Disagreement, NothingToCompare) as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit("interrupted") from None
    print("\nHow many times as fast as each peer fastbp is: median of the pairs (worst pair)\n")
    print("\n\n".join(map(report.table, results)))
    print()
    print("\n".join(map(report.summary, results)))
    if options.write:
        write(results)


if __name__ == "__main__":
    main()
