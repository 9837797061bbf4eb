"""Amaranth components, named like their twins in the golden model."""
