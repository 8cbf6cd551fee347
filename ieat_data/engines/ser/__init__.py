"""Engines that hear emotion."""
