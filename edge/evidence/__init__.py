"""What a customer, or a court, can be handed: receipts, evidence packs, and the page that checks them."""
