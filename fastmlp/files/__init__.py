"""Files: `atomic.py` (a file appears whole or not at all), `model.py` (a net), `json_safe.py` (what JSON can hold)."""
