"""Float references: what the integers and the local errors are compared with."""
