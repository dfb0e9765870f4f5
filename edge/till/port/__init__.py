"""Charging ports and lockers: what may start, what a port is told, what it delivered, whose the pack is. Pure."""
