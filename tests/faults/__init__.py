"""Builds through Ray under faults: `python -m tests.faults --faults 10`, or `make test-faults FAULTS=10`."""
