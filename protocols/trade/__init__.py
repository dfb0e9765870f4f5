"""What a sale is and what it moves: quantities, tariffs, grants, records, books."""
