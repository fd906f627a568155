"""A server in a process of its own: slow and vanished clients, signals, several processes, the token, the docs."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import uvicorn

from renaissance.serving.sample import sample_image
from renaissance.serving.server import Server
from tests.command_line import ROOT
from tests.serving.conftest import Served

PAGE = ROOT / "docs" / "serving.md"
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "


@pytest.fixture(scope="module")
def server(checkpoint):
    served = Served(f"load_path={checkpoint}", 'serve_token="s3cret-of-mine"')
    wait_until_ready(served)
    yield served
    if served.process.poll() is None:
        served.stop()


def wait_until_ready(served):
    for _ in range(300):
        try:
            if httpx.get(f"http://127.0.0.1:{served.port}/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(served.printed)


def ask(served, text="a", token="s3cret-of-mine"):
    return httpx.post(
        f"http://127.0.0.1:{served.port}/predict",
        json=[{"text": text}],
        headers={"Authorization": f"Bearer {token}"},
        timeout=20,
    )


def test_slow_and_vanished_clients_keep_nobody_waiting(server):
    open_ones = []
    for beginning in (b"POST /pred", HEAD + b"1000\r\n\r\n[", b"", b"GET /info HTTP/1.1\r\nHost: lo"):
        for _ in range(20):
            connection = socket.create_connection(("127.0.0.1", server.port))
            connection.sendall(beginning)
            open_ones.append(connection)
    for _ in range(20):  # ask, and go
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(HEAD + b'15\r\nAuthorization: Bearer s3cret-of-mine\r\n\r\n[{"text": "a"}]')
    started = time.monotonic()
    for _ in range(10):
        assert ask(server).status_code == 200
    assert time.monotonic() - started < 5
    head = open_ones[0]
    head.settimeout(20)
    assert head.recv(100) == b""  # given up
    for connection in open_ones:
        connection.close()


def received(server, *pieces):
    """What comes back for bytes that are sent piece by piece, to the connection's end."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(8)  # less than a head may take
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.2)
        found = b""
        while part := connection.recv(65_536):
            found += part
    return found


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"], 400),  # TLS
        ([b"hello\r\n\r\n"], 400),
        ([b"GET /info HTTP/1.1\r\nno header\r\n\r\n"], 400),
        ([HEAD + b"-5\r\n\r\n"], 400),
        ([b"GET /info HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 65_000, b"x" * 600], 431),
        ([b"GET /" + b"x" * 65_000, b"x" * 600], 431),
        ([b"GET /info HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 70_000 + b"\r\n\r\n"], 431),  # whole at once
        ([b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"], 431),
    ],
)
def test_what_is_no_request_is_told_so_and_ended(server, pieces, status):
    head, _, body = received(server, *pieces).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/json" in head
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["error"].keys() == {"message"}


def test_a_large_body_is_no_large_head(server):
    texts = [{"text": "a " * 5000}] * 20
    answer = httpx.post(f"http://127.0.0.1:{server.port}/predict", json=texts, timeout=20,
                        headers={"Authorization": "Bearer s3cret-of-mine", "A": "x" * 60_000})  # fmt: skip
    assert answer.status_code == 200


def test_the_token_is_asked_for_and_shown_nowhere(server, checkpoint):
    assert ask(server, token="other").status_code == 401
    assert ask(server).status_code == 200
    assert "s3cret" not in server.printed
    commands = subprocess.run(
        [sys.executable, "run.py", "print_config", "with", "serve_token=s3cret-of-mine"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "s3cret" not in commands.stdout
    assert "serve_token" in commands.stdout


def test_a_signal_lets_requests_finish(server):
    with ThreadPoolExecutor(8) as pool:
        texts = [f"a red circle {number}" for number in range(40)]
        answers = [pool.submit(ask, server, text) for text in texts]
        while not answers[8].done():
            time.sleep(0.005)
        under_way = [one for one in answers if one.running()]
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(timeout=40)
    assert status == 0
    for answer in under_way:
        assert answer.exception() is not None or answer.result().status_code == 200
    assert sum(one.exception() is None for one in answers) >= 9


def test_ctrl_c_ends_well_and_several_processes_answer(checkpoint):
    served = Served(f"load_path={checkpoint}", "serve_processes=2")
    wait_until_ready(served)
    for _ in range(10):
        answer = httpx.post(f"http://127.0.0.1:{served.port}/predict", json=[{"text": "a"}])
        assert answer.status_code == 200
    assert served.stop(signal.SIGINT) == 0
    assert "Traceback" not in served.printed


@pytest.mark.parametrize("seconds", [0.2, 3.0])
def test_ctrl_c_while_processes_load_ends_well(checkpoint, seconds):
    """A terminal sends it to all of them."""
    served = Served(f"load_path={checkpoint}", "serve_processes=2", start_new_session=True)
    time.sleep(seconds)
    os.killpg(served.process.pid, signal.SIGINT)
    rest, _ = served.process.communicate(timeout=60)
    assert served.process.returncode == 0
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["load_path=none.ckpt"], "no such"),
        (["host=256.1.1.1", "load_path={}"], "host="),
        (["serve_images=/nowhere", "load_path={}"], "serve_images"),
        (['serve_models={"a/b": "x"}'], "no name for a model"),
        ([], "load_path"),
    ],
)
def test_mistakes_are_told(checkpoint, words, said):
    given = [word.replace("{}", str(checkpoint)) if word.endswith("{}") else word for word in words]
    done = subprocess.run([sys.executable, "run.py", "serve", "with", "port=0", *given], cwd=ROOT,
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_calls_of_the_documentation_work(trained, tmp_path):
    served = Served(f'load_path=["{trained("task_mlm_itm")}"]')
    wait_until_ready(served)
    (tmp_path / "scene.png").write_bytes(sample_image())
    text = PAGE.read_text(encoding="utf-8").replace("localhost:8000", f"localhost:{served.port}")
    shells = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    pythons = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(shells) >= 2
    assert pythons
    for script in shells:
        done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "result" in json.loads(done.stdout), done.stdout
    for script in pythons:
        subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert served.stop() == 0


def test_the_calls_of_the_readme_work(checkpoint, tmp_path):
    served = Served(f"load_path={checkpoint}")
    wait_until_ready(served)
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("localhost:8000", f"localhost:{served.port}")
    (python,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (curl,) = re.findall(r"^curl .*", text, flags=re.MULTILINE)
    for command in (["sh", "-ec", curl], [sys.executable, "-c", python]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "probabilities" in done.stdout
    assert served.stop() == 0


def test_listening_threads_leave_no_request_half_answered(checkpoint):
    """A second signal does not wait for a client that never ends its request."""
    served = Served(f"load_path={checkpoint}")
    wait_until_ready(served)
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(HEAD + b"1000\r\n\r\n[")
        time.sleep(0.3)
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        threading.Timer(0.5, served.process.send_signal, (signal.SIGTERM,)).start()
        assert served.process.wait(timeout=20) in (0, 143)


def test_what_is_there_before_the_first_request_is_left_out_of_searches_for_garbage(monkeypatch):
    """A search through the libraries' objects takes a third of a second, and comes every thousand requests."""
    monkeypatch.setattr(sys, "setswitchinterval", lambda seconds: None)
    before = gc.get_freeze_count()
    searched = []
    monkeypatch.setattr("uvicorn.Server.run", lambda server, sockets: searched.append(len(gc.get_objects())))
    try:
        Server(uvicorn.Config(app=None)).run([])
        assert gc.get_freeze_count() - before > 100_000
        assert searched[0] < 0.01 * gc.get_freeze_count()
    finally:
        gc.unfreeze()
