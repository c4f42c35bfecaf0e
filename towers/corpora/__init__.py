"""Training corpora: the format on disk, and the ways to make or read one."""
