"""The banks of spoken questions: what is in them, whether they are sound, and an LLM that proposes more."""
