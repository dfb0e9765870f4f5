"""Pack links: the protocols that battery packs speak in a slot."""
