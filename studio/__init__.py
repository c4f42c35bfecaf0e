"""Music and video made out of nothing: demo catalogue, tests, training corpus."""
