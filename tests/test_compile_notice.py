"""Whoever waits for the compiler is told so, once."""

import os
import subprocess
import sys

import pytest


@pytest.mark.long  # compiles everything
def test_a_line_says_that_kernels_are_compiled_and_the_next_run_has_none(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b,label\n" + "0.5,1,x\n1,0.5,y\n" * 20, encoding="utf-8")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "fastmlp", "train", "--dataset", str(table), "--hidden-size", "3", "--epochs", "2"]
    cold, warm = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr for _ in range(2)
    )
    lines = [line for line in cold.splitlines() if line.startswith("compiling once for this machine")]
    assert [line.split("about ")[1] for line in lines] == ["6 s", "2 s"]
    assert "compiling once" not in warm
