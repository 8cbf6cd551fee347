"""Engines do the work that needs a model: `llm`, `asr`, `ser`, `tts`. They know nothing of shards or stages."""
