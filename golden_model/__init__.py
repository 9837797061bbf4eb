"""What Loam computes, and the judge of whether hardware computes it. NumPy only, never Amaranth."""
