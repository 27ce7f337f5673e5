"""Measure with airspeed velocity, and publish the results. See benchmarks/dashboard.md.

python -m benchmarks.dashboard run                  # the last commit
python -m benchmarks.dashboard compare main HEAD    # two commits alternately; exit status 1 if something got slower
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

# A name such as localhost may also lead to a server of IPv6, which leaves the port free here.
HOST, PORT, MOST_PORTS = "127.0.0.1", 8080, 100


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options; `command` is the subcommand."""
    measuring = argparse.ArgumentParser(add_help=False)
    add = measuring.add_argument
    add("--threads", type=int, action="append", choices=measure.all_threads(), help="repeatable; all unless said")
    add("--bench", action="append", default=[], help="pattern of benchmarks; repeatable")
    add("--quick", action="store_true", help="every benchmark once: does it run? The figures mean nothing")
    publishing = argparse.ArgumentParser(add_help=False)
    publishing.add_argument("--out", type=Path, default=publish.OUT, help="folder (default: .asv/dashboard)")

    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", parents=[measuring], help="measure the last commit")
    command = commands.add_parser("compare", parents=[measuring], help="measure two commits by turns")
    command.add_argument("base", help="the commit before")
    command.add_argument("head", help="the commit after")
    command.add_argument("--rounds", type=int, default=measure.ROUNDS)
    command = commands.add_parser("history", parents=[measuring], help="measure commits of the project's whole life")
    command.add_argument("--points", type=int, default=14, help="how many commits there shall be (default: 14)")
    commands.add_parser("check", help="asv's own check, and every benchmark once in the current Python")
    commands.add_parser("publish", parents=[publishing], help="write the pages")
    command = commands.add_parser("serve", parents=[publishing], help="write the pages and show them")
    command.add_argument("--port", type=int, help=f"default: {PORT}, or the next free one")
    options = parser.parse_args(arguments)
    if "threads" in options:
        options.threads = sorted(set(options.threads or measure.all_threads()))
    return options


def compare(options: argparse.Namespace) -> int:
    """Print the changes; returns the exit status."""
    base, head = options.base, options.head
    changes = measure.compare(base, head, options.bench, options.threads, options.rounds, quick=options.quick)
    worse = sorted((c for c in changes if c.worse), key=lambda c: -c.ratio)
    better = sorted((c for c in changes if c.better), key=lambda c: c.ratio)
    for title, found in (("slower", worse), ("faster", better)):
        for change in found:
            machine = f", the machine {change.machine:.2f} times" if change.machine > 1 else ""
            figures = f"{change.ratio:.2f} times as long{machine} (threshold {1 + change.threshold:.2f})"
            print(f"{title}: {change.key} takes {figures}")
    limits = [100 * change.threshold for change in changes] or [0.0]
    print(
        f"{len(changes)} compared: {len(worse)} slower, {len(better)} faster from {base} to {head}; thresholds from "
        f"{min(limits):.0f} to {max(limits):.0f} %, half of them up to {median(limits):.0f} %"
    )
    return 1 if worse else 0


def check() -> int:
    """Run every benchmark once; returns the exit status."""
    outcome = measure.check()
    for key in outcome.failed:
        print(f"failed, or skipped for no reason: {key}")
    missing = sorted({key.params[0] for key in outcome.skipped if key not in outcome.failed})
    print(f"{len(outcome.values)} passed, {len(outcome.failed)} failed, {len(outcome.skipped)} skipped", end="")
    print(f" (not installed: {', '.join(missing)})" if missing else "")
    return 1 if outcome.failed else 0


def open_server(folder: Path, port: int | None) -> http.server.HTTPServer:
    """Return a server of a folder on a port; None for the first free one from `PORT` on."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    candidates = [port] if port is not None else range(PORT, PORT + MOST_PORTS)
    for candidate in candidates:
        try:
            return http.server.ThreadingHTTPServer((HOST, candidate), handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", error)
    sys.exit(f"cannot serve on port {candidates[-1]}: {reason}")


def serve(folder: Path, port: int | None) -> None:
    """Serve the pages until Ctrl-C."""
    with open_server(folder, port) as server:
        print(f"http://{HOST}:{server.server_port}/, until Ctrl-C", flush=True)
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
        print(f"written to {publish.publish(options.out)}")
        if options.command == "serve":
            serve(options.out, options.port)


if __name__ == "__main__":
    main()
