"""Every bench of every component, on all of its configurations, with Verilator and cocotb."""

import pytest

from sim.runner import known_benches, load_bench, run_bench


@pytest.mark.parametrize("name", known_benches())
def test_bench(name):
    run_bench(load_bench(name))
