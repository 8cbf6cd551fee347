"""Stages that write the samples which go out."""
