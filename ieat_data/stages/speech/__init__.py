"""Stages that make or judge speech: from a corpus or a query to a labelled utterance."""
