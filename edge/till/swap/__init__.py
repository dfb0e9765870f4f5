"""Packs: may a swap, a rent or a return start, which door opens next, what went in and out, and the bill. Pure."""
