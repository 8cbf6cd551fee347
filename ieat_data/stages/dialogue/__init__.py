"""Stages that ask the LLM: replies, injected thinking, dialogues, spoken questions."""
