"""The iCE40 family and its boards."""

from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform
from amaranth_boards.icebreaker import ICEBreakerPlatform

from boards.board import Board, Family
from boards.clocks import Ice40Pll
from boards.parts import CELLS, ICE40HX8K, ICE40UP5K
from boards.synthesis import DROP_COLLISION_LOGIC, LEAVE_SPRAM_UNDEFINED, MIND_TIMING

_RESOURCES = {CELLS: ("ICESTORM_LC",), "EBR": ("ICESTORM_RAM",)}

WIRES = "a part of what icetime counts for wires"
"""icetime gives each step of a wire more than nextpnr does."""

UP5K = Family(
    place_and_route="nextpnr-ice40",
    pack="icepack",
    bitstream="bin",
    resources=_RESOURCES | {"SPRAM": ("ICESTORM_SPRAM",), "MAC16": ("ICESTORM_DSP",)},
    script_after_read=f"{LEAVE_SPRAM_UNDEFINED}\n{DROP_COLLISION_LOGIC}",
    place_options=MIND_TIMING,
    untimed=("what is inside a multiplier block", WIRES),
    # In 40 placements of mnist icetime's slowest path was slower by 0.4 to 2.5 ns; none of them led
    # through a multiplier.
    untimed_ns=2.6,
    second_opinion=("icetime", "-d", "up5k", "-tm", "top.asc"),
    overrides={"synth_opts": "-dsp -spram -device u"},
)

HX8K = Family(
    place_and_route="nextpnr-ice40",
    pack="icepack",
    bitstream="bin",
    resources=_RESOURCES,
    script_after_read=DROP_COLLISION_LOGIC,
    untimed=(WIRES,),
    # In placements of digits 0.0 to 0.4 ns.
    untimed_ns=0.5,
    second_opinion=("icetime", "-d", "hx8k", "-tm", "top.asc"),
)

ICEBREAKER = Board(
    name="icebreaker",
    budget=ICE40UP5K,
    family=UP5K,
    platform=ICEBreakerPlatform,
    oscillator_hz=12_000_000,
    clock=Ice40Pll(divr=0, divf=87, divq=5, filter_range=1),
    slower=Ice40Pll(divr=0, divf=63, divq=5, filter_range=1),
    baud=1_000_000,
)

HX8K_B_EVN = Board(
    name="hx8k-b-evn",
    budget=ICE40HX8K,
    family=HX8K,
    platform=ICE40HX8KBEVNPlatform,
    oscillator_hz=12_000_000,
    clock=Ice40Pll(divr=0, divf=79, divq=4, filter_range=1, own_pin=False),
    baud=1_000_000,
)
