"""Remembers: one SQLite file, one writer, one commit per step."""
