"""Engines do the work that needs a model, by role (`llm`, `asr`, `ser`, `tts`, …). They know no shards or stages."""
