"""Settings of the whole suite."""

import os

# Simulators of full chips run here for some thousand clocks: what counts is how soon they compile.
os.environ.setdefault("LOAM_CXX_OPTIMISATION", "-O0")
