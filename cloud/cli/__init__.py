"""What a person at headquarters does, and how they say it: `fieldtill-hq`."""
