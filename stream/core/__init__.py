"""The path of a frame without I/O: no clock, no socket, no event loop."""
