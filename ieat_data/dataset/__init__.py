"""The output: the dataset folder, its card and its manifest."""
