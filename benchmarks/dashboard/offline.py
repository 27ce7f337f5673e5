"""asv's own pages without a network and without a server: nothing is asked of another host, data come from a script.

A page that was opened as a file may load scripts, but not read other files. So all JSON that asv's scripts would fetch
goes into one script, and jQuery is told to look there.
"""

import json
import re
import shutil
from pathlib import Path

VENDOR = Path(__file__).with_name("vendor")

# Parts of the addresses in asv's page, and the files that take their place.
COPIES = {
    "jquery-3.3.1.min.js": "jquery-3.3.1.min.js",
    "jquery.flot.min.js": "jquery.flot.js",
    "jquery.flot.time.min.js": "jquery.flot.time.js",
    "jquery.flot.selection.min.js": "jquery.flot.selection.js",
    "jquery.flot.categories.min.js": "jquery.flot.categories.js",
    "jquery.flot.orderBars.js": "jquery.flot.orderBars.js",
    "stupidtable.min.js": "stupidtable.min.js",
    "md5.min.js": "md5.min.js",
    "bootstrap.min.js": "bootstrap.min.js",
    "bootstrap.min.css": "bootstrap.min.css",
}

_TRANSPORT = """
$.ajaxTransport("+*", function (options) {
  var name = decodeURIComponent(options.url.replace(/[?].*/, ""));
  return {
    abort: function () {},
    send: function (headers, complete) {
      setTimeout(function () {
        if (name in asvFiles) complete(200, "OK", {json: asvFiles[name], text: ""});
        else complete(404, "Not Found", {});
      }, 0);
    }
  };
});
"""
# Colours turned round, hues kept; and what asv has put at fixed places one below the other on a phone.
_STYLE = """
@media (prefers-color-scheme: dark) {
  html { background: #141414; }
  body { background: #fff; filter: invert(0.92) hue-rotate(180deg); min-height: 100vh; }
}
@media (max-width: 700px) {
  #nav, #graph-display, #graph-display > div, #summarylist-display > div, #summarylist-navigation, #summarylist-body {
    position: static !important; width: auto !important; margin: 0 !important; padding: 0 8px;
  }
  #graph { position: relative; height: 70vh; }
  #graph .legend { display: none; }
  #summarygrid-display, #summarylist-display, #regressions-display { top: 0 !important; position: static !important; }
  #summarylist-body table, #regressions-body table { display: block; overflow-x: auto; }
}
"""
_HEAD = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="local.css">
<script src="files.js"></script>
"""
_ELEMENT = re.compile(r"""<(?:script|link)\b[^>]*\b(?:src|href)="(https?://[^"]+)"[^>]*>""")


class Unknown(Exception):
    """asv's page asks for something that there is no copy of."""


def _local(found: re.Match) -> str:
    """An element that asks another host, made to ask for the copy."""
    element, address = found.group(), found.group(1)
    copy = COPIES.get(address.rpartition("/")[2])
    if copy is None:
        raise Unknown(f"asv's page asks for {address}")
    element = element.replace(address, f"vendor/{copy}")
    return re.sub(r'\s(?:integrity|crossorigin|referrerpolicy|onerror)="[^"]*"', "", element)


def localize(page: str) -> str:
    """Return asv's page with copies in place of what it asks other hosts for, and a way to the front page.

    Raises
    ------
    Unknown
        If there is no copy of something, as another version of asv may want.
    """
    page = _ELEMENT.sub(_local, page)
    head = (
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="stylesheet" href="local.css">'
    )
    page = page.replace("</head>", f'{head}\n<script src="files.js"></script>\n</head>', 1)
    home = '<li id="nav-li-front"><a href="../index.html">Front page</a></li>'
    return page.replace('<li id="nav-li-" ', f'{home}\n        <li id="nav-li-" ', 1)


def make_local(folder: Path) -> None:
    """Change the pages that asv has published into a folder."""
    index = folder / "index.html"
    index.write_text(localize(index.read_text(encoding="utf-8")), encoding="utf-8")
    (folder / "vendor").mkdir(exist_ok=True)
    for name in set(COPIES.values()):
        shutil.copy(VENDOR / name, folder / "vendor")
    files = {
        str(path.relative_to(folder)): json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("*.json")
    }
    # Not a number is null for asv's scripts, and no JSON for a browser.
    data = json.dumps(files, separators=(",", ":")).replace("NaN", "null")
    (folder / "files.js").write_text(f"var asvFiles = {data};\n{_TRANSPORT}", encoding="utf-8")
    (folder / "local.css").write_text(_STYLE, encoding="utf-8")
