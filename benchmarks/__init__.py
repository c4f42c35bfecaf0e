"""Measurements of the whole path and its parts: one harness, flat JSON rows."""
