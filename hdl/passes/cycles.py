"""The cycle model: clocks that a sample takes in a layer, equal to what the RTL takes.

It holds for a source and a sink that never stall, and dense data.
"""
