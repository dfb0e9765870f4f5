"""Fuel pumps: one driver per protocol, and what a site's config says of each pump."""
