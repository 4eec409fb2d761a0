"""Files are written whole or not at all, and leftovers of killed writers go."""

import errno
import os
import re
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


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_file_that_is_replaced_hands_on_its_permissions_and_owner(tmp_path):
    path, seen = tmp_path / "private", []
    path.write_bytes(b"old")
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, 1234, 5678)

    def write(file):
        seen.append(os.fstat(file.fileno()).st_mode & 0o777)  # already while it is written
        file.write(b"new")

    write_whole(path, write)
    found = path.stat()
    assert (path.read_bytes(), seen, found.st_mode & 0o777) == (b"new", [0o600], 0o600)
    if os.geteuid() == 0:
        assert (found.st_uid, found.st_gid) == (1234, 5678)


def circle(folder):
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a"


def below_a_file(folder):
    (folder / "file").touch()
    return folder / "file" / "model.npz"


def read_only(folder):
    path = folder / "model.npz"
    path.touch()
    path.chmod(0o400)
    return path


NOT_WRITABLE = {
    "too long": (lambda folder: folder / ("n" * 300), "cannot be written: its name is too long"),
    "too long while it is written": (lambda folder: folder / ("n" * 250), "its name is too long (while it is written"),
    "too long a path": (lambda folder: folder / "/".join(["n" * 200] * 30), "its name is too long"),
    "links in a circle": (circle, "cannot be written: Too many levels of symbolic links"),
    "below a circle": (lambda folder: circle(folder) / "model.npz", "Too many levels of symbolic links"),
    "below a file": (below_a_file, "cannot be written: Not a directory"),
    "read-only": (read_only, "is read-only; make it writable, or name another file"),
}


@pytest.mark.skipif(os.name != "posix", reason="links and limits are POSIX's")
@pytest.mark.parametrize("case", NOT_WRITABLE)
def test_what_no_file_could_be_written_to_is_refused(tmp_path, case):
    make, says = NOT_WRITABLE[case]
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match=re.escape(says)) as refusal:
        check_writable(path, force=True)
    assert str(refusal.value).startswith(str(path))
    assert sorted(tmp_path.iterdir()) == before
    if case != "read-only":  # which only a command asks for
        with pytest.raises(OSError, match=r"^\[Errno \d+\]") as failure:
            write_whole(path, lambda file: file.write(b"x"))
        assert failure.value.filename == str(path)
        assert sorted(tmp_path.iterdir()) == before
