"""Engines that judge the quality of a clip."""
