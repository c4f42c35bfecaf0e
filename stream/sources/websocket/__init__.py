"""What comes by the ingest socket: pictures one by one, or WebM as browsers record it."""
