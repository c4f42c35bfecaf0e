"""Networks of others, read from their packages: no weights are stored here."""
