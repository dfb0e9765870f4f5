"""Fuel: whether a filling may start, what a pump is told, what it sold, and what nobody can explain. Pure."""
