"""Sessions over HTTP and websockets: bytes only."""
