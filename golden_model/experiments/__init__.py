"""The paper's comparisons, measured: ``python -m golden_model.experiments NAME``."""
