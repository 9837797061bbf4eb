"""An engine that layers share, one after another: convolutions, dense layers, the readout."""
