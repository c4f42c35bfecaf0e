"""Losses as pure functions, one file a paper; each names its equation."""
