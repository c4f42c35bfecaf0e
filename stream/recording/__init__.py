"""The calls of a session, kept in a file, and replayed."""
