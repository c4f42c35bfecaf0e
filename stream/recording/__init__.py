"""What a session was told, kept in a file, and told to a session again."""
