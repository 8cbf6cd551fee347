"""How a plan is run: tasks, workers, executors, progress."""
