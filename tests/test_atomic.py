"""Files are written whole or not at all, and leftovers of killed writers go."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fastmlp.files.atomic import check_writable, remove_leftovers, write_whole


def test_write_whole_replaces_and_can_be_read_by_others(tmp_path):
    path = tmp_path / "new" / "file"
    for content in (b"one", b"two"):
        write_whole(path, lambda file, content=content: file.write(content))
        assert path.read_bytes() == content
    assert [path.name for path in path.parent.iterdir()] == ["file"]
    if os.name == "posix":
        usual = tmp_path / "usual"
        usual.touch()
        assert path.stat().st_mode == usual.stat().st_mode  # as the person's umask has it


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX's")
def test_a_link_stays_one_and_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "runs").mkdir()
    link, target, pipe = tmp_path / "latest", tmp_path / "runs" / "7", tmp_path / "pipe"
    link.symlink_to(target)
    for content in (b"one", b"two"):
        check_writable(link, force=True)
        write_whole(link, lambda file, content=content: file.write(content))
        assert link.is_symlink()
        assert target.read_bytes() == content
    (tmp_path / "runs" / "7.0000.tmp").touch()
    assert remove_leftovers(link) == 1
    os.mkfifo(pipe)
    with pytest.raises(FileExistsError, match="is a device, a pipe or a socket"):
        check_writable(pipe, force=True)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_write_whole_leaves_nothing_half_written(tmp_path, error):
    path = tmp_path / "file"
    write_whole(path, lambda file: file.write(b"before"))

    def write(file):
        file.write(b"after")
        raise error

    with pytest.raises(type(error)):
        write_whole(path, write)
    assert path.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_writers_at_once_leave_one_whole_file(tmp_path):
    contents = [bytes([k]) * 300_000 for k in range(8)]

    def write(content):
        for _ in range(5):
            write_whole(tmp_path / "file", lambda file: file.write(content))
            assert (tmp_path / "file").read_bytes() in contents

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file").read_bytes() in contents
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_the_leftover_of_a_killed_writer_is_removed_and_that_of_a_living_one_is_not(tmp_path):
    path = tmp_path / "model[1].npz"
    program = (
        "import sys, time; from pathlib import Path; from fastmlp.files.atomic import write_whole\n"
        "def write(file):\n    file.write(b'half'); file.flush(); print('writing', flush=True); time.sleep(60)\n"
        "write_whole(Path(sys.argv[1]), write)"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, path], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        assert remove_leftovers(path) == 0
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    finally:
        writer.kill()
        writer.wait()
    assert len(list(tmp_path.iterdir())) == 1
    assert remove_leftovers(path) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_output_is_refused_before_any_work(tmp_path):
    file = tmp_path / "model.npz"
    check_writable(file)
    assert list(tmp_path.iterdir()) == []
    file.write_bytes(b"old")
    with pytest.raises(FileExistsError, match=r"model\.npz exists; .* --force"):
        check_writable(file)
    check_writable(file, force=True)
    assert file.read_bytes() == b"old"
    with pytest.raises(IsADirectoryError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        check_writable(tmp_path / "no" / "model.npz")
    with pytest.raises(OSError, match="cannot be written"):
        check_writable(Path("/proc/model.npz"))
