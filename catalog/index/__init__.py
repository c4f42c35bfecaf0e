"""Where the nearest segments are looked up: the seam for an index, and those that stand behind it."""
