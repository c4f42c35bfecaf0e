"""Networks of others, made of what their packages hold: no weights are kept here."""
