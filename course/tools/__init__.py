"""Tools that make things from their sources: the whole course, refreshed notebooks, pages, the test run."""
