"""Described networks, one TOML file each."""
