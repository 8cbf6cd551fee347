"""`ieat export --check`: what a trainer makes of an export, compared with what the samples say.

A file per trainer; each reads the export through the trainer's own loader and template, with heavy imports inside.
"""
