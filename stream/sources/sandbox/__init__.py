"""A URL that a client names: where it may lead, and the confined process in which it is opened and decoded."""
