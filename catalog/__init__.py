"""A music library becomes segments, embeddings and metadata that can be searched."""
