"""Device protocols, one module each, both roles in it."""
