"""Language models and how to prompt them: descriptors, the chat template in segments, tokenizers."""
