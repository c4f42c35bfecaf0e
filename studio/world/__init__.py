"""The studio like the world: pictures and sounds spread as real clips and tracks are, with the same ties."""
