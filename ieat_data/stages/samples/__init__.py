"""Stages that write the samples of the dataset."""
