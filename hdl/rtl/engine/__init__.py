"""An engine for one dense layer: sample buffer, sweep, lanes, weight memory."""
