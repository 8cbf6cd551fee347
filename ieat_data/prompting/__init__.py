"""What models are asked: task prompts, worked examples and injected think bodies, read from `prompts/`."""
