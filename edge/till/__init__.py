"""Decides, purely: what a session may do and what it costs."""
