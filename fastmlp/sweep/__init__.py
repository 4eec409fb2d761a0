"""A sweep: a net for each setting of a grid, several at a time, and which of them does best on a validation part.

`plan.py` says what is trained, `worker.py` trains one setting, `sweep.py` has joblib or Dask hand them out, and
`report.py` shows what came back.
"""

from fastmlp.sweep.plan import Setting, SweepPlan
from fastmlp.sweep.sweep import Sweep, connected

__all__ = ["Setting", "Sweep", "SweepPlan", "connected"]
