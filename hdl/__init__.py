"""How Loam computes it: the flow from a description to RTL and to a bitstream."""
