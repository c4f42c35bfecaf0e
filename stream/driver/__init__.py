"""Drivers of a session: frames in, questions answered, notices out; at once, in real time or as recorded."""
