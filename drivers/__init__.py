"""Turns a protocol on a line into one of a few device kinds."""
