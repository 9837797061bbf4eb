"""Simulation: cocotb benches, the fast CXXRTL simulator, comparison with the golden model."""
