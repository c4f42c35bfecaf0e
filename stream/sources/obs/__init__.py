"""OBS as a source: small pictures of what is on air."""
