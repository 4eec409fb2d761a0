"""Load on the demo's server: drawings posted by many connections at once, and how long each waits for its answer.

`python bench/demo_load.py` needs the demo's libraries. It starts a server with an untrained net, whose answers take as
long as any other's, on a free port; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from browser import served

from fastmlp import NeuralNetwork

_SIDE = 140  # pixels, as the page sends them


def main() -> None:
    """Post the drawings and print what came of them; exit with 1 where one was not answered."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--hidden-size", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.npz")
        NeuralNetwork(given.hidden_size, seed=0).save(path)
        with served(str(path)) as (_, url):
            address = url.removeprefix("http://").rstrip("/")
            _post(address, 3)  # what is only done once
            start = time.perf_counter()
            waited, failures = _at_once(address, given.posts, given.connections)
            seconds = time.perf_counter() - start
    answered = len(waited)
    print(f"{answered} of {given.posts} drawings answered over {given.connections} connections in {seconds:.2f} s")
    if answered:
        low, middle, high = (1000 * float(q) for q in np.quantile(waited, (0.5, 0.95, 1)))
        waits = f"median {low:.0f} ms, 95 % {middle:.0f} ms, at most {high:.0f} ms"
        print(f"{answered / seconds:.0f} a second; waited: {waits}")
    for failure in sorted(set(failures)):
        print(f"failed {failures.count(failure)} times: {failure}")
    raise SystemExit(bool(failures) or answered < given.posts)


def _at_once(address: str, posts: int, connections: int) -> tuple[list[float], list[str]]:
    """Return the seconds that each answered post waited, and how the others failed."""
    waited: list[float] = []
    failures: list[str] = []
    ready = threading.Barrier(connections)

    def work(share: int) -> None:
        try:
            waited.extend(_post(address, share, ready))
        except (OSError, http.client.HTTPException, AssertionError) as error:
            failures.append(f"{type(error).__name__}: {error}")

    shares = [posts // connections + (k < posts % connections) for k in range(connections)]
    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waited, failures


def _post(address: str, count: int, ready: threading.Barrier | None = None) -> list[float]:
    """Post drawings over one connection; return the seconds that each waited."""
    drawing = np.zeros((_SIDE, _SIDE), np.uint8)
    drawing[20:120, 64:76] = 255
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.connect()
    if ready is not None:
        ready.wait()
    waited = []
    for _ in range(count):
        start = time.perf_counter()
        connection.request("POST", "/api/look", drawing.tobytes(), {"Content-Type": "application/octet-stream"})
        reply = connection.getresponse()
        seen = json.loads(reply.read())
        waited.append(time.perf_counter() - start)
        assert reply.status == 200 and len(seen["probabilities"]) == 10, seen
    connection.close()
    return waited


if __name__ == "__main__":
    main()
