"""Networks that turn one clip into a vector: small ones of ours, and places for those of others."""
