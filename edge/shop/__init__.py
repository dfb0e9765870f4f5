"""Cabinets at work: what is seen of each, what the till decides on it, and the one loop that opens its doors."""
