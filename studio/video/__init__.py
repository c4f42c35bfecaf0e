"""Video out of nothing: scene recipes and their render."""
