"""Stages that reject finished rows: by benchmarks, near-duplicates, an LLM as judge, people."""
