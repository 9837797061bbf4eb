"""The far end of the wire: frames, driver and commands. Imports nothing but golden_model.spec."""
