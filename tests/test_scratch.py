"""Temporary folders: removed at the end, and those of killed processes at the next start."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fastmlp.files.scratch import scratch_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_it_is_gone_after_an_error_too(tmp_path):
    def fail():
        with scratch_folder("mine-") as folder:
            (folder / "file").touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


PROGRAM = """
import sys, time
from fastmlp.files.scratch import scratch_folder
with scratch_folder("mine-") as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_that_of_a_killed_process_is_removed_and_that_of_a_living_one_is_not(tmp_path):
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
        for _ in range(2)
    ]
    try:
        killed, living = (Path(process.stdout.readline().decode().strip()) for process in processes)
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        (tmp_path / "mine-without a lock").mkdir()
        with scratch_folder("mine-") as folder:
            assert {path.name for path in tmp_path.iterdir()} == {folder.name, living.name, "mine-without a lock"}
        assert not killed.exists() and (living / "file").exists()
    finally:
        for process in processes:
            process.kill()
            process.communicate()
