"""``segue bench engines``: every engine on the same weights and inputs, in one run."""
