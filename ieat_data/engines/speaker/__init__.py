"""Engines that compare voices."""
