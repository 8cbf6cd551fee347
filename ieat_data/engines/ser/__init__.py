"""Engines that recognize emotion in speech."""
