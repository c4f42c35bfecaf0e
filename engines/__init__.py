"""A bundle's graphs run to numbers: one runtime per file, micro-batching, shipped bundles."""
