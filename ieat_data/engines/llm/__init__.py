"""Language models, and how they are asked: descriptors, the chat template in segments, and their tokenizers."""
