"""Who can take which shape."""
