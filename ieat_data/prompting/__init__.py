"""The prompts for models: task prompts, worked examples and injected think bodies, read from `prompts/`."""
