"""The pages of docs/reference/, generated from the code: `scripts/make_reference.py` writes them."""
