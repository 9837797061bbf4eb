"""Yosys commands that make memories become blocks of memory and nothing else."""

LEAVE_SPRAM_UNDEFINED = "delete t:$meminit_v2 r:MEMID=*spram* %i"
"""SPRAM powers up undefined, and Amaranth initialises every memory: a memory whose name holds
``spram`` loses its contents, so it must be written before it is read."""

DROP_COLLISION_LOGIC = "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i"
"""Amaranth promises the old word to a read of the address that is written in the same clock, which
block RAM does not do by itself. The RTL never makes such a read (the benches check it)."""

HIDE_ELEMENTS = "rename -hide w:*[*"
"""ABC9, which Yosys uses for ECP5 and Gowin, takes a wire that is called like an array's element,
``sums[3]``, for a bit of ``sums``, and may then stop at an assertion: such names are made private.
Seen with Yosys 0.70."""

KEEP_REPLICAS = "proc\nsetattr -set keep 1 a:replica %ci1:+[Q] t:$*dff* %i"
"""Registers with this attribute are copies of each other on purpose, each for a part of the loads:
Yosys would merge them."""

MIND_TIMING = "--placer-heap-timingweight 30"
"""For nextpnr's placer, whose own weight of 10 leaves more to luck: of one netlist of `mnist` for
the iCEBreaker five seeds reached 31.4 to 36.7 MHz by icetime, with it 35.0 to 36.5, and with 80
28.5 to 37.5."""
