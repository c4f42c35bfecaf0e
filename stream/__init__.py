"""Live video becomes a rolling embedding, a ranking, suggestions."""
