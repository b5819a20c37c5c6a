"""The lint: unit files in, findings out. One file a family of traps; `lint.py` joins them."""
