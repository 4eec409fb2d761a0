"""Training and inference without users.

`settings.py` and `inputs.py` (the doors: what people hand in), `weights.py` (the packed parameters), `training.py` (an
epoch, a run), `inference.py` (the forward pass alone), `initialisers.py`, `stopwatch.py`, `warmup.py`.
"""
