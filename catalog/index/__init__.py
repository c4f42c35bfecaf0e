"""The search for the nearest segments: the interface of an index, and the indexes themselves."""
