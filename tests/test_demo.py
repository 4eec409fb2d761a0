"""The demo: what its server answers, whom it refuses, what it trains, and how it ends."""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import browser
import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import DataError, Dataset, NeuralNetwork, TrainingSession
from fastmlp.cli import main
from fastmlp.commands.demo import _read
from fastmlp.datasets import choice
from fastmlp.datasets.digit_form import digit_form
from fastmlp.errors import InvalidValueError
from fastmlp.palette import css_variables

httpx = pytest.importorskip("httpx")
pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")

from fastmlp.demo.app import MOST_BYTES, make_app  # noqa: E402
from fastmlp.demo.net_view import NetView  # noqa: E402
from fastmlp.demo.race import Race  # noqa: E402
from fastmlp.demo.server import configured, listen, url_of  # noqa: E402
from fastmlp.demo.workbench import BusyError, Workbench  # noqa: E402

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "fastmlp" / "demo" / "pages"
DRAWING = {"Content-Type": "application/octet-stream"}
WAIT = 60.0
NAME = socket.gethostname()


def a_one(side: int = 140) -> bytes:
    page = np.zeros((side, side), np.uint8)
    page[side // 7 : -side // 7, side // 2 - side // 20 : side // 2 + side // 20] = 255
    return page.tobytes()


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Pictures of noise, with a line whose place is the label."""
    labels = np.arange(400) % 10
    X = (np.random.default_rng(0).integers(0, 256, (400, 28, 28)) // 200 * 200).astype(np.float32) / 255
    X[np.arange(400), 2 * labels + 4] = 1
    X = X.reshape(400, 784)
    return Dataset(X[:300], labels[:300], X[300:], labels[300:], "synthetic", input_scale=1 / 255)


@pytest.fixture
def few_digits(monkeypatch, digits):
    monkeypatch.setattr(choice, "load_dataset", lambda *_: digits)


@pytest.fixture(scope="module")
def net() -> NeuralNetwork:
    return NeuralNetwork(hidden_size=20, seed=0)


@contextmanager
def served_in_thread(bench, names=()):
    """A client of a server that runs in a thread of this process."""
    server = uvicorn.Server(configured(make_app(bench, names)))
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            with httpx.Client(base_url=url_of(listener), timeout=WAIT) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def client(net):
    with Workbench(NetView(net), "net.npz") as bench, served_in_thread(bench) as client:
        yield client


def here(client) -> str:
    return str(client.base_url).rstrip("/")


def until(is_so, seconds=WAIT):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


# --- The browser that tests it ----------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="makes programs of shell scripts")
@pytest.mark.parametrize(
    ("programs", "found"),
    [
        ({}, None),
        ({"chromium": 140}, None),
        ({"chromedriver": 140}, None),
        ({"chromedriver": 140, "google-chrome": 139}, "google-chrome"),
        ({"chromedriver": 140, "chromium": 139, "google-chrome": 140}, "google-chrome"),
        ({"chromedriver": 140, "chromium-browser": 140, "google-chrome": 140}, "chromium-browser"),
        ({"chromedriver": 140, "chromium": 0, "google-chrome": 139}, "chromium"),
    ],
)
def test_browser_is_found(tmp_path, monkeypatch, programs, found):
    """By any of its names, and the one that the driver is for; 0 is a program that tells no version."""
    for name, version in programs.items():
        program = tmp_path / name
        program.write_text(
            f"#!/bin/sh\necho '{name.title()} {version}.0.7339.207'\n" if version else "#!/bin/sh\n", encoding="utf-8"
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    browser.chromium.cache_clear()
    try:
        assert browser.chromium() == (found and str(tmp_path / found))
    finally:
        browser.chromium.cache_clear()


# --- What is served ---------------------------------------------------------------------------------------------------


SERVED = ["/", "/palette.css", *(f"/{path.name}" for path in sorted(PAGES.iterdir()) if path.suffix != ".html")]


@pytest.mark.parametrize("path", SERVED)
def test_page_comes_with_a_policy(client, path):
    kind = {"": "text/html", "css": "text/css", "js": "text/javascript"}[path.partition(".")[2]]
    reply = client.get(path)
    assert reply.status_code == 200
    assert reply.headers["content-type"].partition(";")[0] == kind
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_what_a_module_imports_is_there(client):
    """By its name, and exported."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.js")}
    assert len(pages) > 5
    for name, text in pages.items():
        for names, module in re.findall(r'^import \{ (.+?) \} from "\./(.+?)";', text, re.MULTILINE):
            for each in names.split(", "):
                exported = rf"^export (?:async function|function|class|const|let) {re.escape(each)}\b"
                assert re.search(exported.replace(r"\$\b", r"\$ "), pages[module], re.MULTILINE), (name, each)
                assert len(re.findall(rf"(?<!\w){re.escape(each)}(?!\w)", text)) > 1, f"{name} does not use {each}"
    page = client.get("/").text
    assert set(re.findall(r'(?:src|href)="(\w+\.\w+)"', page)) == {"demo.js", "demo.css", "palette.css"}
    assert client.get("/palette.css").text == css_variables()


def test_no_other_files_are_served(client):
    for path in ("/index.html", "/app.py", "/../app.py", "/pages/demo.js", "/%2e%2e/app.py"):
        assert client.get(path).status_code == 404


def test_page_needs_nothing_from_elsewhere():
    for path in PAGES.iterdir():
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)) <= {"http://www.w3.org"}  # the name of SVG
        assert not re.search(r"<style|\sstyle=|\son\w+=|@import|innerHTML|eval\(", text), path


def test_every_control_has_a_name():
    page = (PAGES / "index.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    for tag in re.findall(r"<(?:canvas|section|nav)[^>]*>", page):
        assert "aria-label" in tag
    for name in re.findall(r'aria-(?:labelledby|describedby)="([\w-]+)"', page):
        assert f'id="{name}"' in page
    for path in PAGES.glob("*.js"):
        for name in re.findall(r'\$\("([\w-]+)"\)', path.read_text(encoding="utf-8")):
            assert f'id="{name}"' in page


def test_drawing_is_seen_as_predict_sees_it(client, net):
    seen = client.post("/api/look", content=a_one(), headers=DRAWING).json()
    form = digit_form(np.pad(np.frombuffer(a_one(), np.uint8).reshape(140, 140), 14))
    picture = np.frombuffer(base64.b64decode(seen["picture"]), np.uint8)
    np.testing.assert_array_equal(picture, np.rint(255 * form))
    np.testing.assert_allclose(seen["probabilities"], net.forward(form[None])[0], rtol=1e-6)
    assert seen["cleaned"] == []


def test_strongest_units_come_first(client, net):
    units = client.post("/api/look", content=a_one(), headers=DRAWING).json()["units"]
    hidden = np.maximum(0, digit_form(np.pad(np.frombuffer(a_one(), np.uint8).reshape(140, 140), 14)) @ net.W1)
    assert [unit["unit"] for unit in units] == list(np.argsort(-hidden)[:8])
    assert units[0]["activity"] == pytest.approx(hidden.max(), rel=1e-5)
    assert units[0]["for"] == str(net.W2[units[0]["unit"]].argmax())
    weights = np.frombuffer(base64.b64decode(units[0]["weights"]), np.uint8).astype(float) - 128
    column = net.W1[:, units[0]["unit"]]
    assert np.corrcoef(weights, column)[0, 1] > 0.99


def test_line_from_edge_to_edge_is_ink(client):
    """It is a one, and no border or line of the paper."""
    page = np.zeros((140, 140), np.uint8)
    page[:, 60:75] = 255
    page[:, :5] = 0
    seen = client.post("/api/look", content=page.tobytes(), headers=DRAWING).json()
    assert np.frombuffer(base64.b64decode(seen["picture"]), np.uint8).reshape(28, 28)[4:24, 14].min() > 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "square of grey bytes"),
        (b"1" * 50, "square of grey bytes"),
        (b"1" * 49, "square of grey bytes"),
        (bytes(140 * 140), "nothing is drawn"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "square of grey bytes"),
        (b"\xff" * 28 + bytes(28 * 26) + b"\xff" * 28, "2 things"),
    ],
)
def test_bad_drawing_is_a_sentence(client, content, sentence):
    reply = client.post("/api/look", content=content, headers=DRAWING)
    assert reply.status_code == 400
    assert sentence in reply.json()["error"]


def test_outputs_that_overflow_are_a_sentence():
    net = NeuralNetwork(hidden_size=20, seed=0)
    net.W1, net.W2 = 1e30 * np.abs(net.W1), 1e30 * net.W2
    with (
        pytest.warns(RuntimeWarning, match="overflow"),
        pytest.raises(InvalidValueError, match="no answer"),
    ):
        NetView(net).look(a_one())


def test_net_with_names_for_its_classes():
    net = NeuralNetwork(hidden_size=20, seed=0)
    net.class_names = [f"kind {k}" for k in range(10)]
    with Workbench(NetView(net), "shoes.npz") as bench:
        assert bench.state()["classes"] == net.class_names
        assert bench.look(a_one())["units"][0]["for"].startswith("kind ")


def test_history_of_a_given_net_is_shown(tmp_path, digits, net):
    """As far as its file has one; what was not measured is null."""
    path = tmp_path / "net.npz"
    TrainingSession(NeuralNetwork(30, seed=0), digits, output=path, validate=False).train(3)
    with Workbench(*_read(path)) as bench:
        state = bench.state()
    assert (state["name"], state["epochs"], state["phase"], state["can_train"]) == ("net.npz", 3, "ready", False)
    assert len(state["history"]["loss"]) == 3
    assert state["history"]["val_accuracy"] == [None] * 3
    json.dumps(state, allow_nan=False)
    net.save(path)
    with Workbench(*_read(path)) as bench:
        assert (bench.state()["epochs"], bench.state()["history"]) == (0, {})


# --- Who is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/look", "/api/train", "/api/race", "/api/race/stop"])
def test_what_is_too_large_is_refused(client, path):
    kind = "application/octet-stream" if path == "/api/look" else "application/json"
    whole = client.post(path, content=bytes(MOST_BYTES + 1), headers={"Content-Type": kind})
    pieces = client.post(path, content=iter([bytes(1000)] * 100), headers={"Content-Type": kind})
    for reply in (whole, pieces):
        assert reply.status_code == 413
        assert "larger than the 65,536 bytes" in reply.json()["error"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_could_send_is_refused(client, kind):
    """A browser sends these from any page without asking the server first."""
    for path in ("/api/look", "/api/train", "/api/race"):
        assert client.post(path, content=a_one(), headers={"Content-Type": kind}).status_code == 415


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "", "[::1", "127.0.0.1.nip"]
)
def test_foreign_name_is_refused(client, host):
    for path in ("/", "/api/state"):
        reply = client.get(path, headers={"Host": host})
        assert reply.status_code == 403
        assert "--host" in reply.json()["error"]


@pytest.mark.parametrize(
    "host",
    ["localhost:8000", "127.0.0.1", "[::1]:8000", "192.168.1.7:80", "[fe80::1]:8000", NAME, f"{NAME}.local:8000"],
)
def test_names_of_this_machine_are_known(client, host):
    assert client.get("/api/state", headers={"Host": host}).status_code == 200


def test_name_that_was_given_is_known(net):
    with Workbench(NetView(net)) as bench, served_in_thread(bench, ["Demo.School.Example"]) as client:
        assert client.get("/api/state", headers={"Host": "demo.school.example:8000"}).status_code == 200
        assert client.get("/api/state", headers={"Host": "school.example:8000"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "{here}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "{here}"},
    ],
)
def test_page_from_elsewhere_cannot_drive_it(client, headers):
    headers = {name: value.format(here=here(client), port=client.base_url.port) for name, value in headers.items()}
    reply = client.post("/api/look", content=a_one(), headers=DRAWING | headers)
    assert reply.status_code == 403
    assert "from elsewhere" in reply.json()["error"]
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("headers", [{}, {"Origin": "{here}"}, {"Origin": "{here}", "Sec-Fetch-Site": "same-origin"}])
def test_page_from_here_can(client, headers):
    headers = {name: value.format(here=here(client)) for name, value in headers.items()}
    assert client.post("/api/look", content=a_one(), headers=DRAWING | headers).status_code == 200


def test_preflight_of_another_page_gets_no_consent(client):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    reply = client.options("/api/look", headers=asked)
    assert reply.status_code == 403
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/no", 404), ("GET", "/api/look", 405), ("PUT", "/", 405)]
)
def test_what_is_not_there(client, method, path, status):
    reply = client.request(method, path)
    assert reply.status_code == status
    assert reply.json()["error"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"{}", b'{"hidden_size": "30"}', b'{"hidden_size": 30.5}', b"[" * 9000]
)
@pytest.mark.parametrize("path", ["/api/train", "/api/race"])
def test_wrong_json_is_a_sentence(client, path, body):
    reply = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    assert reply.json()["error"]


# --- Training and the race --------------------------------------------------------------------------------------------


def test_training_can_be_watched(few_digits):
    with Workbench() as bench:
        with pytest.raises(BusyError, match="not there yet"):
            bench.look(a_one())
        with served_in_thread(bench) as client:
            for repeat in (1, 2):
                assert client.post("/api/train", json={"hidden_size": 30}).status_code == 202
                until(lambda: not client.get("/api/state").json()["busy"])
                state = client.get("/api/state").json()
                assert (state["phase"], state["dataset"], state["hidden_size"]) == ("ready", "synthetic", 30)
                assert {len(values) for values in state["history"].values()} == {state["epochs"]}
                assert state["version"] == repeat * (state["epochs"] + 1)
            assert client.post("/api/look", content=a_one(), headers=DRAWING).status_code == 200


def test_one_thing_at_a_time(monkeypatch, digits):
    go_on = threading.Event()
    monkeypatch.setattr(choice, "load_dataset", lambda *_: go_on.wait(WAIT) and digits)
    with Workbench() as bench:
        bench.start_training(30)
        for start in (lambda: bench.start_training(30), lambda: bench.start_race(["numpy"], 30)):
            with pytest.raises(BusyError, match="the training is not over yet"):
                start()
        go_on.set()
    assert not bench.state()["busy"]


@pytest.mark.parametrize("hidden_size", [0, 31, -1, 10**9])
@pytest.mark.parametrize("path", ["/api/train", "/api/race"])
def test_hidden_size_is_one_of_the_page(client, path, hidden_size):
    reply = client.post(path, json={"hidden_size": hidden_size, "nets": ["numpy"]})
    assert (reply.status_code, reply.json()["error"]) == (400, "hidden_size must be one of 30, 128, 300")


def test_net_that_was_given_is_not_trained(client):
    reply = client.post("/api/train", json={"hidden_size": 30})
    assert (reply.status_code, client.get("/api/state").json()["can_train"]) == (400, False)


@pytest.mark.parametrize("nets", [[], ["nothing"], ["numpy", "numpy"], "numpy", [1], None])
def test_only_known_nets_race(client, nets):
    reply = client.post("/api/race", json={"nets": nets, "hidden_size": 30})
    assert reply.status_code == 400
    assert reply.json()["error"]


def test_race_is_run_by_the_clock(client, few_digits, monkeypatch):
    monkeypatch.setattr("fastmlp.demo.race.EPOCHS", 3)
    before = client.get("/api/race").json()
    assert {"fastmlp", "numpy"} <= set(before["nets"])
    assert before["race"] is None
    assert client.post("/api/race", json={"nets": ["fastmlp", "numpy"], "hidden_size": 30}).status_code == 202
    assert client.post("/api/race", json={"nets": ["numpy"], "hidden_size": 30}).status_code == 409
    until(lambda: not client.get("/api/race").json()["running"])
    race = client.get("/api/race").json()["race"]
    ours, numpys = race["racers"]
    for racer in (ours, numpys):
        assert (racer["status"], len(racer["seconds"]), len(racer["accuracy"])) == (
            "done",
            race["epochs"],
            race["epochs"],
        )
        assert racer["seconds"] == sorted(racer["seconds"])
    assert race["disturbed"] in (True, False)
    np.testing.assert_allclose(ours["accuracy"], numpys["accuracy"], atol=0.011)  # they start from the same weights


@pytest.mark.parametrize(
    ("rates", "disturbed"),
    [([], False), ([50], False), ([50, 45, 48, 44], False), ([50, 49, 30, 50, 48], False), ([50, 30, 48, 20], True)],
)
def test_race_that_was_disturbed_says_so(rates, disturbed):
    """A moment is no harm, a lasting disturbance is."""
    race = Race(["numpy"], 30)
    race._rates += rates
    assert race.state()["disturbed"] is disturbed


def test_race_can_be_stopped(client, few_digits):
    assert client.post("/api/race", json={"nets": ["numpy"], "hidden_size": 30}).status_code == 202
    until(lambda: (client.get("/api/race").json()["race"] or {"racers": [{}]})["racers"][0].get("status") == "loading")
    assert client.post("/api/race/stop", json={}).status_code == 202
    until(lambda: not client.get("/api/race").json()["running"])
    (racer,) = client.get("/api/race").json()["race"]["racers"]
    assert (racer["status"], racer["said"]) == ("failed", "it was stopped")


def test_race_without_data_says_why(net, monkeypatch):
    def load(*_):
        raise DataError("there is no MNIST here")

    monkeypatch.setattr(choice, "load_dataset", load)
    with Workbench(NetView(net)) as bench:
        bench.start_race(["numpy"], 30)
        until(lambda: not bench.race_state()["running"])
        (racer,) = bench.race_state()["race"]["racers"]
    assert (racer["status"], racer["said"]) == ("failed", "there is no MNIST here")


def test_training_that_fails_is_told(monkeypatch):
    def load(*_):
        raise DataError("there is no MNIST here")

    monkeypatch.setattr(choice, "load_dataset", load)
    told = threading.Event()
    with Workbench() as bench:
        bench.on_failure = told.set
        bench.start_training()
        assert told.wait(WAIT)
        assert isinstance(bench.failure, DataError)


# --- The command ------------------------------------------------------------------------------------------------------


def test_busy_port_is_a_sentence():
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://127.0.0.1:{port}/"
        result = CliRunner().invoke(main, ["demo", "--port", str(port)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr
        == f"Error: port {port} is in use; name another one with --port, or --port 0 for any that is free\n"
    )


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_page_is_served_over_ipv6(net):
    try:
        listener = listen("::1", 0)
    except InvalidValueError as error:
        pytest.skip(str(error))
    with listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}/"


@pytest.mark.parametrize("host", ["no.such.host.invalid", "", "a" * 300, "203.0.113.1"])
def test_host_that_is_not_here_is_a_sentence(host):
    result = CliRunner().invoke(main, ["demo", "--host", host, "--port", "0"])
    assert result.exit_code == 1
    assert re.match(r"Error: (there is no host|this machine has no address) ", result.stderr)


@pytest.mark.parametrize(("inputs", "classes"), [(64, 10), (784, 3)])
def test_net_for_something_else_is_a_sentence(tmp_path, inputs, classes):
    path = tmp_path / "other.npz"
    NeuralNetwork(5, input_size=inputs, output_size=classes, seed=0).save(path)
    result = CliRunner().invoke(main, ["demo", str(path), "--port", "0"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"takes {inputs} inputs and knows {classes} classes; the demo needs" in result.stderr


def test_file_that_is_no_model_is_a_sentence(tmp_path):
    (tmp_path / "no.npz").write_bytes(b"no model")
    result = CliRunner().invoke(main, ["demo", str(tmp_path / "no.npz"), "--port", "0"])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (3, "", 1)


def test_named_data_that_are_not_there_end_the_server(tmp_path):
    command = [sys.executable, "-m", "fastmlp", "demo", "--port", "0", "--data-dir", str(tmp_path / "nowhere")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT, check=False)
    assert done.returncode == 3
    assert re.fullmatch(r"Error: .*nowhere.*\n", done.stderr)


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_missing_library_is_a_sentence(run_python, library):
    code = f"""
import sys
sys.modules[{library!r}] = None
from click.testing import CliRunner
from fastmlp.cli import main
result = CliRunner().invoke(main, ["demo", "--port", "0"])
print(result.exit_code, result.stderr)
"""
    sentence = "Error: the demo needs starlette and uvicorn: pip install 'fastmlp[demo]'"
    assert run_python(code).stdout == f"1 {sentence}\n\n"


@pytest.fixture
def served(tmp_path, net):
    """A server in a process of its own, and where it is."""
    net.save(tmp_path / "net.npz")
    command = [sys.executable, "-m", "fastmlp", "demo", str(tmp_path / "net.npz"), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("Draw a digit on http://127.0.0.1:")
        yield process, line.split()[4]
    finally:
        process.kill()
        process.communicate()


def test_many_posts_at_once_are_answered(served):
    _, url = served
    answers, posts, connections = [], 10, 20

    def draw():
        with httpx.Client(base_url=url, headers=DRAWING, timeout=WAIT) as client:
            answers.extend(client.post("/api/look", content=a_one()).json()["probabilities"] for _ in range(posts))

    threads = [threading.Thread(target=draw) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == posts * connections
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_the_server_and_what_it_started(served, tmp_path, number, code):
    process, url = served
    with httpx.Client(base_url=url, timeout=WAIT) as client:
        assert client.post("/api/race", json={"nets": ["numpy"], "hidden_size": 30}).status_code == 202
        until(lambda: children_of(process.pid))
        children = children_of(process.pid)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, on Linux; elsewhere that a race runs is not waited for."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        return [-1]
    found = []
    for task in tasks.iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found += [int(child) for child in (task / "children").read_text(encoding="utf-8").split()]
    return found


def test_other_machines_are_let_in_with_a_warning(tmp_path, net):
    net.save(tmp_path / "net.npz")
    command = [sys.executable, "-m", "fastmlp", "demo", str(tmp_path / "net.npz"), "--port", "0", "--host", "0.0.0.0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "whoever reaches this machine over the network" in process.stderr.readline()
    finally:
        process.kill()
        process.communicate()


def test_json_of_the_state_holds_no_nan(few_digits):
    with Workbench() as bench:
        json.dumps(bench.state(), allow_nan=False)
        json.dumps(bench.race_state(), allow_nan=False)
