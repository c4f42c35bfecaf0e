"""What turns one clip into a vector: small networks of ours, and slots for those of others."""
