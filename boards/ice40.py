"""The iCE40 family and its boards."""

from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform
from amaranth_boards.icebreaker import ICEBreakerPlatform

from boards.board import Board, Family
from boards.clocks import Ice40Pll
from boards.parts import CELLS, ICE40HX8K, ICE40UP5K
from boards.synthesis import DROP_COLLISION_LOGIC, LEAVE_SPRAM_UNDEFINED, MIND_TIMING

_RESOURCES = {CELLS: ("ICESTORM_LC",), "EBR": ("ICESTORM_RAM",)}

UP5K = Family(
    place_and_route="nextpnr-ice40",
    pack="icepack",
    bitstream="bin",
    resources=_RESOURCES | {"SPRAM": ("ICESTORM_SPRAM",), "MAC16": ("ICESTORM_DSP",)},
    script_after_read=f"{LEAVE_SPRAM_UNDEFINED}\n{DROP_COLLISION_LOGIC}",
    place_options=MIND_TIMING,
    untimed=("what is inside a multiplier block",),
    # icetime found paths that were slower by 0.4 to 2.5 ns in 40 placements of mnist: not through
    # multipliers, but since it gives each step of a wire more.
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
