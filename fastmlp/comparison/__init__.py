"""Nets side by side: `comparison.py` (the protocol), `run.py` and `child.py` (one run, from outside and from inside),
`results.py` (what is made of the runs, and its file), `intervals.py`, `report/` (tables, plots, page).
"""
