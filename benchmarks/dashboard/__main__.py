"""Measure with airspeed velocity, and publish what was measured. benchmarks/dashboard.md has it all.

python -m benchmarks.dashboard run                  # the last commit
python -m benchmarks.dashboard compare main HEAD    # two commits by turns; exit status 1 if something got slower
python -m benchmarks.dashboard history              # releases and commits between them that have no results yet
python -m benchmarks.dashboard publish              # into .asv/dashboard/index.html
python -m benchmarks.dashboard serve                # publish, and show it in a browser
python -m benchmarks.dashboard check                # asv's check, and every benchmark once
"""

import argparse
import http.server
import sys
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.dashboard import measure, publish


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options; `command` is what to do."""
    description = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=description)
    commands = parser.add_subparsers(dest="command", required=True)

    def measuring(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text)
        add = command.add_argument
        add("--threads", type=int, action="append", choices=(1, 2), help="repeatable; all that there are CPUs for")
        add("--bench", action="append", default=[], help="pattern of benchmarks; repeatable")
        add("--quick", action="store_true", help="every benchmark once: does it run? The figures mean nothing")
        return command

    measuring("run", "measure the last commit")
    command = measuring("compare", "measure two commits by turns")
    command.add_argument("base", help="the commit before")
    command.add_argument("head", help="the commit after")
    command.add_argument("--rounds", type=int, default=measure.ROUNDS)
    command = measuring("history", "measure commits from all over the project's life")
    command.add_argument(
        "--points", type=int, default=14, help="how many commits there shall be (default: %(default)s)"
    )
    commands.add_parser("check", help="asv's own check, and every benchmark once in the Python at hand")
    for name, text in (("publish", "write the pages"), ("serve", "write the pages and show them")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--out", type=Path, default=publish.OUT, help="folder (default: .asv/dashboard)")
        command.add_argument("--picture", type=Path, help="draw README's picture into this file, too")
    command.add_argument("--port", type=int, default=8080)
    options = parser.parse_args(arguments)
    if "threads" in options:
        options.threads = sorted(set(options.threads or measure.all_threads()))
        if options.threads[-1] not in measure.all_threads():
            parser.error("there are not so many CPUs")
    return options


def compare(options: argparse.Namespace) -> int:
    """Print what has changed; returns the exit status."""
    changes = measure.compare(
        options.base, options.head, options.bench, options.threads, options.rounds, quick=options.quick
    )
    worse = sorted((c for c in changes if c.worse), key=lambda c: -c.ratio)
    better = sorted((c for c in changes if c.better), key=lambda c: c.ratio)
    for title, found in (("slower", worse), ("faster", better)):
        for change in found:
            machine = f", the machine {change.machine:.2f} times" if change.machine > 1 else ""
            print(
                f"{title}: {change.key} takes {change.ratio:.2f} times as long{machine} "
                f"(threshold {1 + change.threshold:.2f})"
            )
    limits = sorted(change.threshold for change in changes) or [0.0]
    print(
        f"{len(changes)} compared: {len(worse)} slower, {len(better)} faster from {options.base} to {options.head}; "
        f"thresholds from {100 * limits[0]:.0f} to {100 * limits[-1]:.0f} %, "
        f"half of them up to {100 * median(limits):.0f} %"
    )
    return 1 if worse else 0


def check() -> int:
    """Run everything once; returns the exit status."""
    outcome = measure.check()
    for key in outcome.failed:
        print(f"failed, or skipped for no reason: {key}")
    missing = {key.params[0] for key in outcome.skipped if key not in outcome.failed}
    print(f"{len(outcome.values)} passed, {len(outcome.failed)} failed, {len(outcome.skipped)} skipped", end="")
    print(f" (not installed: {', '.join(sorted(missing))})" if missing else "")
    return 1 if outcome.failed else 0


def serve(folder: Path, port: int) -> None:
    """Show the pages until Ctrl-C."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("localhost", port), handler) as server:
        print(f"http://localhost:{port}/, until Ctrl-C", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main() -> None:
    options = parse()
    if options.command == "run":
        measure.bench(options.bench, options.threads, quick=options.quick)
    elif options.command == "compare":
        sys.exit(compare(options))
    elif options.command == "history":
        measure.bench_history(options.points, options.bench, options.threads, quick=options.quick)
    elif options.command == "check":
        sys.exit(check())
    else:
        page = publish.publish(options.out, options.picture)
        print(f"written to {page}")
        if options.command == "serve":
            serve(options.out, options.port)


if __name__ == "__main__":
    main()
