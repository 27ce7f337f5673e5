"""The pages: one for every machine."""

from pathlib import Path

from benchmarks.dashboard import environments
from benchmarks.dashboard.history import load_history
from benchmarks.dashboard.page import page
from benchmarks.dashboard.picture import picture
from benchmarks.dashboard.results import machines
from benchmarks.dashboard.tool import ROOT, load_config

OUT = ROOT / ".asv" / "dashboard"


def publish(out: Path, drawing: Path | None = None) -> Path:
    """Write the pages into a folder, and README's picture into a file if there is one; returns the first page.

    The machine with the newest results has index.html, others have a page of their own.
    """
    config = load_config()
    results = ROOT / config["results_dir"]
    loaded = [load_history(results, machine, config["regressions_thresholds"]) for machine in machines(results)]
    histories = [history for history in loaded if history.measured]
    if not histories:
        raise SystemExit(f"there are no results in {config['results_dir']}: measure something first")
    out.mkdir(parents=True, exist_ok=True)
    files = {history.machine["machine"]: f"{history.machine['machine']}.html" for history in histories}
    files[histories[0].machine["machine"]] = "index.html"
    for history in histories:
        own = history.machine["machine"]
        others = [(name, file) for name, file in files.items() if name != own]
        (out / files[own]).write_text(page(history, others, environments.rows()), encoding="utf-8")
    if drawing is not None:
        drawing.write_text(picture(histories[0]), encoding="utf-8")
    return out / "index.html"
