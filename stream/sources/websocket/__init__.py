"""Input by the ingest socket: single pictures, or WebM as browsers record it."""
