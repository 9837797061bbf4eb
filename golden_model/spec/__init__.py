"""Declarations shared by everything: what is computed, never how. No behaviour lives here."""
