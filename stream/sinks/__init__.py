"""Where a session's notices go: a list of sinks, each of which takes a notice and never blocks."""
