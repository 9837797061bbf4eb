"""One file of cocotb tests for each component, ``bench_NAME.py``, that defines ``BENCH``."""
