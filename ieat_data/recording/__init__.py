"""Recordings: the raw answers of real engines, so that a build can be done again without any of them.

`record.py` writes one after a build, `engines/replay.py` answers from one, `compare.py` finds what came out otherwise.
"""
