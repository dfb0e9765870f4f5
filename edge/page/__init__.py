"""The local page: what a customer's phone sees of the site, over the site's own network, link up or down."""
