"""All compiled code: the mathematics of DESIGN in tiles of SIMD vectors. Nothing is compiled at import.

Read in this order: `simd.py` and `lanewise.py` (operations on a register tile, a type of `tiles.py`, of a width from
`tags.py`), `dense.py`, `sparse.py` and `coded.py` (the hidden layer on the forms of input, between which `hidden.py`
chooses; the last two share the forward pass in `rows.py`), `output.py` and `softmax.py` (the output layer), `steps.py`
(what an optimiser makes of a gradient), `epoch.py` (a training epoch on a team of threads, `team.py`), `prediction.py`.

`layout.py`, `packing.py` and `coding.py` say how parameters and inputs lie in memory, `compress.py` how the nonzeros of
a vector are found, `compiled.py` how kernels are compiled, `linking.py` how those that kernels call become parts of
others, `checked_files.py` how they are kept on disk, `atomics.py` what threads share, `interrupts.py` how Ctrl-C is
held back.
"""
