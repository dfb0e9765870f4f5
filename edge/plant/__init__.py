"""What must hold whatever anyone wants: cut-offs and the watch on silence."""
