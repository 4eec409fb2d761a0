"""Nets side by side.

`comparison.py` holds the protocol; `run.py`, `child.py` and `spec.py` are one run, from outside, from inside, and what
passes between the two; `results.py` computes the results, with `intervals.py` and `arithmetic.py`; `results_file.py`
keeps them; `report/` makes tables, plots and a page of them.
"""
