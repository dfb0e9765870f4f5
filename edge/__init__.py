"""The daemon at the site: decides, remembers, tells."""
