"""One net trained by the workers of a Dask cluster, on parts that stay where they are.

`shards.py` divides the parts and averages what is trained on them, `worker.py` is what a worker runs, `cluster.py` what
can be asked of a cluster, and `training.py` has `fit`.
"""

from fastmlp.dask.training import fit

__all__ = ["fit"]
