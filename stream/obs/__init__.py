"""OBS by its websocket: one connection that comes back, and the parts that share it."""
