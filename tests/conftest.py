"""Settings of the whole suite."""

import os

# Simulators run here for some thousand clocks, cocotb's too: what counts is how soon they compile.
os.environ.setdefault("LOAM_CXX_OPTIMISATION", "-O0")
