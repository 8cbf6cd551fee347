"""What a build costs: figures with their sources, rows of each stage, pools of engines, GPUs, storage, money."""
