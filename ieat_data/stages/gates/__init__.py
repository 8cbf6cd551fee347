"""Stages that hold rows back: benchmarks, near-duplicates, an LLM as judge, people."""
