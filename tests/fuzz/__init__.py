"""Damaged bytes for all that reads files of others: `make fuzz MINUTES=60`; a few in every `make test`."""
