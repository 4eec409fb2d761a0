"""What `bench/targets.py` measures: a file for each kind of measurement."""
