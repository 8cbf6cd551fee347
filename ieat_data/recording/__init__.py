"""Recordings: the raw answers of real engines, so that a build can be repeated without engines.

`record.py` writes one after a build, `engines/replay.py` answers from one, `compare.py` finds differences.
"""
