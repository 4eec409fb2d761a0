"""All compiled code: the mathematics of DESIGN in tiles of SIMD vectors. Nothing is compiled at import.

Read in this order: `simd.py` (the register tile), `sparse.py` and `dense.py` (the hidden layer), `output.py` and
`softmax.py` (the output layer), `epoch.py` (a training epoch on a team of threads, `team.py`), `prediction.py`.
`layout.py` and `packing.py` say how parameters and inputs lie in memory, `compiled.py` how kernels are compiled.
"""
