"""Tells headquarters what was sold, and hears what may be sold."""
