"""The passes of the flow: plain Python, no Amaranth."""
