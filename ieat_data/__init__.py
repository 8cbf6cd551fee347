"""IEAT dataset builder: Injected Emotional-Attribution Thinking data for spoken language models."""

__version__ = "0.1.0"
