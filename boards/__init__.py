"""Places that a network can live in: pins, clock and budget of each board. Never imports hdl."""
