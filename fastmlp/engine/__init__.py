"""Training and inference without users: `inputs.py` (the door), `training.py` (an epoch, a run)."""
