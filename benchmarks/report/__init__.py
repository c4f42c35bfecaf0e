"""Reports of benchmarks: what a run knows of itself, files, pages, comparisons, conditions."""
