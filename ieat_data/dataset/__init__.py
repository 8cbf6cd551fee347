"""What goes out: the dataset folder, its card and its manifest."""
