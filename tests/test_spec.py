"""What a run is told: it arrives as it was sent."""

import json
from dataclasses import asdict

import numpy as np

from fastmlp.comparison.spec import RunSpec, load_arrays, save_arrays


def test_spec_travels_as_json():
    spec = RunSpec("some.module", 4, 0.1, 3, 2, 5, 1, 16, 2, "data", "weights", processors=[0, 3], shuffle=False)
    assert RunSpec(**json.loads(json.dumps(asdict(spec)))) == spec


def test_arrays_travel_as_files(tmp_path):
    arrays = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.array([1, 0])}
    save_arrays(tmp_path, arrays)
    for read, (name, array) in zip(load_arrays(str(tmp_path), *arrays), arrays.items(), strict=True):
        assert read.dtype == array.dtype, name
        np.testing.assert_array_equal(read, array)
        assert read.flags.aligned and read.flags.writeable and not isinstance(read, np.memmap)
