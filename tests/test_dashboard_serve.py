"""`python -m benchmarks.dashboard serve`: which port it takes, and what it says of it."""

import contextlib
import http.client
import socket
import subprocess
import sys
from http.server import ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from benchmarks.dashboard import __main__
from benchmarks.dashboard.__main__ import HOST, MOST_PORTS, PORT, open_server

from support.asv_tree import discover, make_tree, write_results


@pytest.fixture
def taken():
    """A port that is in use."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_the_next_free_port_is_taken(tmp_path, taken, monkeypatch):
    monkeypatch.setattr(__main__, "PORT", taken)
    with open_server(tmp_path, None) as server:
        assert taken < server.server_port < taken + MOST_PORTS


@pytest.mark.parametrize("wrong", [None, 70000], ids=["in use", "no port"])
def test_a_port_that_cannot_be_had_is_an_error_of_one_line(tmp_path, taken, capsys, monkeypatch, wrong):
    """It was asked for, so no other is taken."""
    port = wrong or taken
    monkeypatch.setattr(__main__.publish, "publish", lambda folder: folder)
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", lambda server: None)
    monkeypatch.setattr(sys, "argv", ["dashboard", "serve", "--out", str(tmp_path), "--port", str(port)])
    with pytest.raises(SystemExit, match=rf"^cannot serve on port {port}: [^\n]+$"):
        __main__.main()
    assert "http:" not in capsys.readouterr().out


def test_it_says_which_address_it_serves(tmp_path):
    """The default port is in use: by this test, or by somebody else."""
    pytest.importorskip("asv")
    hashes = make_tree(tmp_path, ["Begin"])
    write_results(tmp_path, discover(tmp_path), hashes, lambda place, name, threads: 1.0)
    page = tmp_path / "out" / "index.html"
    command = [sys.executable, "-m", "benchmarks.dashboard", "serve", "--out", str(page.parent)]
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server((HOST, PORT)))
        serving = stack.enter_context(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True))
        stack.callback(serving.terminate)
        assert serving.stdout.readline() == f"written to {page}\n"
        address = urlsplit(serving.stdout.readline().partition(",")[0])
        assert (address.scheme, address.hostname) == ("http", HOST)
        assert address.port != PORT
        connection = http.client.HTTPConnection(HOST, address.port)
        stack.callback(connection.close)
        connection.request("GET", address.path)
        assert connection.getresponse().read() == page.read_bytes()
