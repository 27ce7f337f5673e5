"""How far a training step would scale on more cores than this machine has: a model, fed with what is measured here.

    python -m benchmarks.scaling                              # measure, predict, check
    python -m benchmarks.scaling --costs benchmarks/results/scaling-*.json
    python -m benchmarks.scaling --save benchmarks/results/scaling-amd-epyc-znver4-float32.json --write

docs/scaling.md says what is measured and how the model goes.
"""

import argparse
from pathlib import Path

from benchmarks.common import WORKLOADS
from benchmarks.documents import load_result, put_between
from benchmarks.scaling import report
from benchmarks.scaling.machine import measure_machine, together
from benchmarks.scaling.replay import FULL, QUICK, Disagreement, check, measure_shares, measure_steps
from fastbp.threads.jobs import allowed_cpus

ROOT = Path(__file__).parents[2]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--dtype", choices=("float32", "float64"), default="float32")
    add("--first", type=int, default=len(WORKLOADS), help="only the first so many of the standard workloads")
    add("--quick", action="store_true", help="a few steps, to see that everything works; the figures mean nothing")
    add("--save", type=Path, help="write the costs into this file")
    add("--costs", type=Path, help="measure nothing; predict from the costs in this file")
    add("--bandwidth", type=float, help="Gbyte/s of memory to reckon with, instead of this machine's")
    add("--write", action="store_true", help="put tables and picture into docs")
    options = parser.parse_args(arguments)
    if options.costs is None and allowed_cpus() < 2:
        parser.error("measuring takes two CPUs")
    if options.write and (options.quick or options.bandwidth or options.first < len(WORKLOADS)):
        parser.error("--write takes a complete run")
    return options


def measure(options: argparse.Namespace) -> dict:
    """Measure all costs, the check's real steps among them; prints how far it is."""
    effort = QUICK if options.quick else FULL
    threads, dtype = 2, options.dtype
    machines, costs = [], []
    for workload in WORKLOADS[: options.first]:
        print(workload, flush=True)
        check(workload, dtype)
        machines.append(measure_machine(threads, effort.rounds))
        shares = measure_shares(workload, dtype, effort)
        costs.append(report.Costs(workload, shares, measure_steps(workload, [1, threads], dtype, effort)))
    multiplied = together(threads, dtype, effort.rounds)
    return report.rounded(report.as_saved(threads, dtype, multiplied, machines, costs))


def main() -> None:
    options = parse()
    try:
        result = measure(options) if options.costs is None else load_result(options.costs, report.SCHEMA)
    except (Disagreement, ValueError) as error:
        raise SystemExit(str(error)) from error
    if options.save:
        report.save(result, options.save)
    if options.bandwidth:
        result["machine"]["bandwidth"] = 1e9 * options.bandwidth
    print(f"\n{report.section(result)}")
    if options.write:
        from benchmarks.scaling.plot import draw  # only here, for matplotlib is not quick to import

        page = ROOT / "docs" / "scaling.md"
        text = put_between(page.read_text(encoding="utf-8"), report.BEGIN, report.END, report.section(result))
        page.write_text(text, encoding="utf-8")
        draw(result, ROOT / "docs" / "img" / "scaling.svg")


if __name__ == "__main__":
    main()
