"""The dashboard's server: read-only, of this machine alone, never out of a run's folder, and not held up by anybody."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from renaissance.errors import UserError
from renaissance.pages import growing
from renaissance.pages import server as server_module
from renaissance.pages.dashboard import Dashboard
from renaissance.pages.growing import read_on
from renaissance.pages.server import PageServer
from tests.command_line import ROOT
from tests.pages.run_folders import make_run, rows


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    make_run(tmp_path / "result" / "mlm" / "1", learning_rate=0.5)
    make_run(tmp_path / "result" / "mlm" / "2", status="")
    with PageServer("127.0.0.1", 0, Dashboard(tmp_path / "result").answer) as started:
        thread = threading.Thread(target=started.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield started
        started.shutdown()


def get(server: PageServer, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return connection.getresponse()


def test_the_listing_tells_how_runs_stand_and_is_not_sent_twice(server, tmp_path):
    answer = get(server, "/api/runs")
    listing = json.loads(answer.read())
    assert [(run["name"], run["status"]) for run in listing["runs"]] == [("mlm/1", "finished"), ("mlm/2", "crashed")]
    assert listing["settings"] == ["learning_rate"]
    assert [run["settings"] for run in listing["runs"]] == [["0.5"], ["1e-05"]]
    assert listing["runs"][0]["best"] == 2.4375
    assert get(server, "/api/runs", If_None_Match=answer.headers["ETag"]).status == 304


def test_only_this_machines_names_are_answered_to(server):
    for host in ("127.0.0.1", f"localhost:{server.server_port}", "[::1]:9999"):
        assert get(server, "/", Host=host).status == 200, host
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        f"evil.example:{server.server_port}",
        "",
        "@",
        "[::1",
        "evil@localhost",
        "localhost:abc",
        "localhost:",
        "8.8.8.8",
        "[2001:db8::1]",
        "[localhost]",
    ):
        assert get(server, "/", Host=host).status in (400, 403), host


def test_a_server_for_other_machines_answers_to_any_number():
    with PageServer("0.0.0.0", 0, lambda request: None) as server:
        for host in ("192.168.1.5:8000", "[2001:db8::1]", "127.0.0.1"):
            assert server.knows_host(host), host
        assert not server.knows_host("evil.example")


def test_it_reads_only_and_says_how_pages_may_use_it(server):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        assert get(server, "/", method).status == 405, method
    answer = get(server, "/")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert b"default-src &#x27;none&#x27;; script-src &#x27;sha256-" in answer.read()


def test_no_request_leaves_the_runs_folders(server, tmp_path):
    run = tmp_path / "result" / "mlm" / "1"
    (run / "samples").mkdir()
    Image.new("RGB", (5, 5)).save(run / "samples" / "step_1.png")
    Image.new("RGB", (5, 5)).save(tmp_path / "private.png")
    (run / "samples" / "step_2.png").symlink_to(tmp_path / "private.png")
    (run / "samples" / "step_3.png").write_text("<script>")
    os.mkfifo(run / "samples" / "step_4.png")
    (tmp_path / "private.csv").write_text("step,epoch,name,value\n1,1,mlm/val/secret,1\n")
    (tmp_path / "result" / "mlm" / "2" / "metrics.csv").unlink()
    (tmp_path / "result" / "mlm" / "2" / "metrics.csv").symlink_to(tmp_path / "private.csv")
    assert get(server, "/sheet?run=mlm/1&name=samples/step_1.png").read().startswith(b"\x89PNG")
    sheets = ("samples/step_2.png", "samples/step_3.png", "samples/step_4.png", "../../../private.png", "config.json",
              "samples/../config.json", str(tmp_path / "private.png"))  # fmt: skip
    for name in sheets:
        assert get(server, f"/sheet?run=mlm/1&name={quote(name)}").status == 404, name
    for path in ("/../../../etc/passwd", "/%2e%2e/private.csv", "/api/run?run=..", f"/api/run?run={tmp_path}",
                 "/api/curves?run=mlm/1/../../..", "//evil.example/", "//[", "/api"):  # fmt: skip
        assert get(server, path).status in (400, 404), path
    assert b"secret" not in get(server, "/api/curves?run=mlm/2").read()
    assert get(server, "/" + "a" * 5000).status == 414


def test_a_client_that_says_nothing_keeps_nobody_waiting(server, monkeypatch):
    monkeypatch.setattr(server_module, "SECONDS_A_CONNECTION", 0.3)
    silent = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(20)]
    silent[0].send(b"GET / HTTP/1.1\r\nHost: ")
    begun = time.monotonic()
    assert get(server, "/").status == 200
    assert time.monotonic() - begun < 2
    silent[0].settimeout(5)
    assert silent[0].recv(1) == b"", "its time is over"
    for one in silent:
        one.close()


def test_more_connections_than_there_is_room_for_are_closed(server, monkeypatch):
    monkeypatch.setattr(server_module, "MOST_CONNECTIONS", 2)
    held = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(2)]
    time.sleep(0.2)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        get(server, "/")
    for one in held:
        one.close()


def test_a_port_that_is_taken_is_said(server):
    with pytest.raises(UserError, match=f"dashboard_port={server.server_port}: .*another port"):
        PageServer("127.0.0.1", server.server_port, lambda request: None)


def test_a_metrics_file_is_read_on_and_anew_after_a_resume(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text("step,epoch,name,value\n" + rows({"mlm/train/loss": [(step, 1.0) for step in range(100)]}))
    first = read_on(tmp_path, "metrics.csv", "")
    assert (len(first.lines), first.anew) == (101, True)
    with file.open("a") as more:
        more.write("100,1,mlm/train/loss,0.5\n101,1,mlm/tr")
    second = read_on(tmp_path, "metrics.csv", first.cursor)
    assert (second.lines, second.anew) == (["100,1,mlm/train/loss,0.5"], False)
    assert read_on(tmp_path, "metrics.csv", second.cursor).lines == []
    # A resume writes the rows until its checkpoint anew and goes on, to more bytes than there were before.
    file.write_text("step,epoch,name,value\n" + rows({"mlm/train/loss": [(step, 2.0) for step in range(200)]}))
    third = read_on(tmp_path, "metrics.csv", second.cursor)
    assert (len(third.lines), third.anew) == (201, True)
    file.write_text("step,epoch,name,value\n")
    assert read_on(tmp_path, "metrics.csv", third.cursor).anew
    for cursor in ("999999-" + "0" * 32, "-1", "a", "0", first.cursor + "0"):
        assert read_on(tmp_path, "metrics.csv", cursor).anew, cursor


def test_of_a_file_that_is_too_long_the_newest_rows_are_read(tmp_path, monkeypatch):
    """In bounded memory; and the cursor stands at its end, so that what is read on is not cut again."""
    file = tmp_path / "metrics.csv"
    file.write_text("step,epoch,name,value\n" + rows({"mlm/train/loss": [(step, 1.0) for step in range(100)]}))
    monkeypatch.setattr(growing, "MOST_BYTES", 100)
    first = read_on(tmp_path, "metrics.csv", "")
    assert first.lines == file.read_text().splitlines()[-3:]
    assert (first.anew, first.shortened) == (True, True)
    with file.open("a") as more:
        more.write("100,1,mlm/train/loss,0.5\n")
    second = read_on(tmp_path, "metrics.csv", first.cursor)
    assert (second.lines, second.anew, second.shortened) == (["100,1,mlm/train/loss,0.5"], False, False)
    file.write_bytes(bytes(1000))  # no line at all
    assert read_on(tmp_path, "metrics.csv", "").lines == []


def test_a_run_that_is_gone_is_said(server, tmp_path):
    assert get(server, "/api/run?run=mlm/1").status == 200
    shutil.rmtree(tmp_path / "result" / "mlm" / "1")
    time.sleep(1.1)  # a listing is looked at again after a second
    get(server, "/api/runs")
    assert get(server, "/api/run?run=mlm/1").status == 404


@pytest.mark.slow
def test_ctrl_c_ends_the_command_with_its_status(tmp_path):
    make_run(tmp_path / "mlm" / "1")
    words = [sys.executable, str(ROOT / "run.py"), "dashboard", "with", f"log_dir={tmp_path}", "dashboard_port=0"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", started.stdout.readline())
        assert address is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=30)
        connection.request("GET", "/api/runs")
        assert b"mlm/1" in connection.getresponse().read()
        started.send_signal(signal.SIGINT)
        assert started.wait(30) == 130
