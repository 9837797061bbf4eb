"""How close to its limits Loam runs: in simulation, by the tools' reports, on this machine."""
