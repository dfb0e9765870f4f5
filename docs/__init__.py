"""Pages for people; those that a program can write are written by `python -m docs.generate`."""
