"""Datasets in the formats of other tools: what an exporter is (`base.py`), ours, and how to run one (`run.py`)."""
