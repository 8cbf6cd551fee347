"""The banks of spoken questions: list them, check them, let an LLM propose more."""
