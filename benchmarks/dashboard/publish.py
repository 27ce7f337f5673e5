"""Writing the pages, one for every machine."""

from pathlib import Path

from benchmarks.dashboard import environments
from benchmarks.dashboard.history import History, load_history
from benchmarks.dashboard.page import page
from benchmarks.dashboard.results import machines
from benchmarks.dashboard.tool import ROOT, load_config

OUT = ROOT / ".asv" / "dashboard"


def histories() -> list[History]:
    """Return the results of all machines, the one with the newest results first."""
    config = load_config()
    results = ROOT / config["results_dir"]
    loaded = [load_history(results, machine, config["regressions_thresholds"]) for machine in machines(results)]
    measured = [history for history in loaded if history.measured]
    if not measured:
        raise SystemExit(f"there are no results in {config['results_dir']}: measure something first")
    return measured


def publish(out: Path) -> Path:
    """Write the pages into a folder; returns index.html, the page with the newest results."""
    loaded = histories()
    names = [history.machine["machine"] for history in loaded]
    files = dict(zip(names, ["index.html", *(f"{name}.html" for name in names[1:])], strict=True))
    log = environments.parse(environments.read_log())
    out.mkdir(parents=True, exist_ok=True)
    for name, history in zip(names, loaded, strict=True):
        others = [(other, file) for other, file in files.items() if other != name]
        (out / files[name]).write_text(page(history, others, log), encoding="utf-8")
    return out / "index.html"
