"""``segue bench obs-*``: measurements with a real OBS."""
