"""What `import ieat_data` offers, one file each: only what a notebook calls; the layers below do the work."""
