"""Arrays that are kept on disk for a while."""

import threading

import numpy as np
import pytest

from fastmlp.files import spill
from fastmlp.files.spill import Room, Spill
from fastmlp.kernels.sparse import ROW_ENTRY

ARRAYS = {
    "floats": [np.random.default_rng(0).random((7, 5), np.float32)],
    "records": [np.arange(6).reshape(2, 3), np.array([(3, 0.5), (4, -1)], ROW_ENTRY)],
    "nothing in one": [np.ones(3, np.uint8), np.zeros((0, 4)), np.array(5)],
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_come_back_in_memory_of_their_own_on_cache_lines(kind):
    kept = Spill()
    for key in (kind, 1):
        assert kept.keep(key, ARRAYS[kind])
    assert kind in kept
    assert 2 not in kept
    for key in (1, kind, kind):
        for array, expected in zip(kept.read(key), ARRAYS[kind], strict=True):
            assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
            np.testing.assert_array_equal(array, expected)
            assert array.ctypes.data % 64 == 0
            assert array.flags.carray
            array[...] = 0  # and this is nobody else's


def test_a_room_is_used_again_and_grows():
    kept, room = Spill(), Room()
    kept.keep("small", [np.arange(3), np.arange(4)])
    kept.keep("large", [np.arange(1000)])
    first = kept.read("small", room)[0]
    again = kept.read("small", room)[1]
    assert first.ctypes.data + 64 == again.ctypes.data
    large = kept.read("large", room)[0]
    np.testing.assert_array_equal(large, np.arange(1000))
    np.testing.assert_array_equal(kept.read("small", room)[1], np.arange(4))
    assert np.shares_memory(large, kept.read("small", room)[0])
    np.testing.assert_array_equal(again, np.arange(4))  # in the room that was too small


def test_no_more_is_taken_than_half_of_what_is_free(monkeypatch):
    monkeypatch.setattr(spill.shutil, "disk_usage", lambda _folder: type("Usage", (), {"free": 1000}))
    kept = Spill()
    assert kept.keep("a", [np.zeros(300, np.uint8)])
    assert not kept.keep("b", [np.zeros(300, np.uint8)])
    assert kept.keep("c", [np.zeros(100, np.uint8)])
    assert "b" not in kept


def test_a_disk_that_fills_up_and_a_folder_that_cannot_be_written_to_keep_nothing(monkeypatch, tmp_path):
    class Full:
        def seek(self, _place):
            raise OSError(28, "No space left on device")

    kept = Spill()
    assert kept.keep("a", [np.arange(3)])
    whole, kept._file = kept._file, Full()
    assert not kept.keep("b", [np.arange(3)])
    kept._file = whole
    assert not kept.keep("c", [np.arange(3)])
    np.testing.assert_array_equal(kept.read("a")[0], np.arange(3))

    monkeypatch.setattr(spill, "_folder", lambda: str(tmp_path / "gone"))
    assert not Spill().keep("a", [np.arange(3)])


def test_the_file_has_no_name_and_lies_where_tmpdir_says(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(spill.tempfile, "tempdir", None)
    assert spill._folder() == str(tmp_path)
    kept = Spill()
    kept.keep("a", [np.arange(3)])
    assert list(tmp_path.iterdir()) == []
    file = kept._file
    del kept
    assert file.closed


def test_threads_may_share_it():
    kept = Spill()
    kept.keep(0, [np.zeros(5000)])
    wrong = []

    def read():
        wrong.extend(k for k in range(1, 200) for _ in range(2) if k in kept and (kept.read(k)[0] != k).any())

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for k in range(1, 200):
        kept.keep(k, [np.full(5000, k)])
    for reader in readers:
        reader.join()
    assert wrong == []
