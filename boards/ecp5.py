"""The ECP5 family and its boards."""

from amaranth_boards.ulx3s import ULX3S_25F_Platform, ULX3S_85F_Platform

from boards.board import Board, Family
from boards.clocks import Ecp5Pll
from boards.parts import CELLS, LFE5U_25F, LFE5U_85F
from boards.synthesis import DROP_COLLISION_LOGIC, HIDE_ELEMENTS

ECP5 = Family(
    place_and_route="nextpnr-ecp5",
    pack="ecppack",
    bitstream="bit",
    resources={
        CELLS: ("TRELLIS_COMB",),
        "DP16KD": ("DP16KD",),
        "MULT18X18D": ("MULT18X18D",),
    },
    script_after_read=f"{DROP_COLLISION_LOGIC}\n{HIDE_ELEMENTS}",
)

ULX3S_85F = Board(
    name="ulx3s-85f",
    budget=LFE5U_85F,
    family=ECP5,
    platform=ULX3S_85F_Platform,
    oscillator_hz=25_000_000,
    clock=Ecp5Pll(reference=5, feedback=16, output=8),
    baud=1_000_000,
)

ULX3S_25F = Board(
    name="ulx3s-25f",
    budget=LFE5U_25F,
    family=ECP5,
    platform=ULX3S_25F_Platform,
    oscillator_hz=25_000_000,
    clock=Ecp5Pll(reference=1, feedback=3, output=8),
    baud=1_000_000,
)
