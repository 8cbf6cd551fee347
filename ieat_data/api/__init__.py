"""What `import ieat_data` offers, a file each. Nothing here but what a notebook calls; the work is done below."""
