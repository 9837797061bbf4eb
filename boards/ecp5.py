"""The ECP5 family and its boards."""

from collections.abc import Iterator
from typing import Any, ClassVar

from amaranth import ClockSignal, Const, Instance, Module, Signal, Value, signed
from amaranth_boards.ulx3s import ULX3S_25F_Platform, ULX3S_85F_Platform

from boards.board import Board, Family
from boards.clocks import Ecp5Pll
from boards.parts import CELLS, LFE5U_25F, LFE5U_85F
from boards.synthesis import DROP_COLLISION_LOGIC, HIDE_ELEMENTS, KEEP_REPLICAS

# nextpnr-ecp5 has a delay for every kind of cell that Loam's designs are made of, multipliers with
# their register and block RAM among them. It has none for ALU54B, which they don't use.
ECP5 = Family(
    place_and_route="nextpnr-ecp5",
    pack="ecppack",
    bitstream="bit",
    resources={
        CELLS: ("TRELLIS_COMB",),
        "DP16KD": ("DP16KD",),
        "MULT18X18D": ("MULT18X18D",),
    },
    script_after_read=f"{KEEP_REPLICAS}\n{DROP_COLLISION_LOGIC}\n{HIDE_ELEMENTS}",
)


def _sites_85f() -> Iterator[str]:
    """Of the 156 multipliers of an LFE5U-85F, four in a group, row by row, there and back.

    The outermost columns come last, so that engines of 128 fill the three rows alike: what stands
    close around two full rows did not let nextpnr's router come to an end.
    """
    columns = [*range(4, 59, 9), *range(69, 115, 9)]
    inner, outer = columns[1:-1], [columns[0], columns[-1]]
    for part in (inner, outer):
        for row, groups in ((10, part), (34, part[::-1]), (58, part)):
            for column in groups:
                for number in (0, 1, 4, 5):
                    yield f"X{column + number}/Y{row}/MULT18_{number}"


class HeldProduct:
    """What a platform adds: products with the registers that are inside the multiplier block.

    Yosys leaves them in logic cells, a long wire away from the block. Nothing simulates
    the instance; `tests/boards/test_ecp5.py` checks it against a model of the primitive after
    Lattice's technical note FPGA-TN-02205.

    Members
    -------
    sites
        Where the products that hold their operands go, one after the other; nextpnr's words. They
        are many, in an order that keeps neighbours together, and left to itself nextpnr's placer
        puts blocks that stand in few rows far from what they feed.
    """

    sites: Iterator[str] = iter(())

    def get_held_product(self, m: Module, a: Value, b: Value, hold_operands: bool) -> Signal:
        """``a * b`` of two signed values of up to 18 bits, one clock later, or two."""
        held = {"CLK": "NONE"}
        if hold_operands:
            held = {"CLK": "CLK0", "CE": "CE0", "RST": "RST0"}
        full = Signal(signed(36))
        operands = {"A": Signal(signed(18)), "B": Signal(signed(18))}
        m.d.comb += [operands["A"].eq(a), operands["B"].eq(b)]
        ports: dict[str, Any] = {
            f"i_{letter}{bit}": operand[bit]
            for letter, operand in operands.items()
            for bit in range(18)
        }
        ports |= {f"i_C{bit}": Const(0, 1) for bit in range(18)}
        ports |= {f"o_P{bit}": full[bit] for bit in range(36)}
        site = next(self.sites, None) if hold_operands else None
        m.submodules += Instance(
            "MULT18X18D",
            **({"a_BEL": site} if site else {}),
            **{
                f"p_REG_INPUT{letter}_{name}": value
                for letter in "AB"
                for name, value in held.items()
            },
            p_REG_INPUTC_CLK="NONE",
            p_REG_PIPELINE_CLK="NONE",
            p_REG_OUTPUT_CLK="CLK0",
            p_REG_OUTPUT_CE="CE0",
            p_REG_OUTPUT_RST="RST0",
            p_RESETMODE="SYNC",
            p_GSR="DISABLED",
            p_CLK0_DIV="ENABLED",
            p_SOURCEB_MODE="B_SHIFT",
            p_MULT_BYPASS="DISABLED",
            p_CAS_MATCH_REG="FALSE",
            i_CLK0=ClockSignal(),
            i_CE0=Const(1, 1),
            i_RST0=Const(0, 1),
            i_SIGNEDA=Const(1, 1),
            i_SIGNEDB=Const(1, 1),
            i_SOURCEA=Const(0, 1),
            i_SOURCEB=Const(0, 1),
            **ports,
        )
        return full[: len(a) + len(b)].as_signed()


class CarryChain:
    """What a platform adds: sums that mask or choose their addends within the carry chain.

    A bit of CCU2C takes a table of four inputs, of which Yosys uses two. Where the table gives 0
    the chain's carry is what its first four entries say, those of C = D = 0, by A and B alone.
    """

    TABLES: ClassVar = {
        "masked": 0xA6AA,
        "chosen": 0x665A,
        "products": 0x7888,
        "difference": 0x8777,
    }
    """For the kinds of :mod:`hdl.rtl.parts.adder`. That of ``masked`` is right where D is 1, and
    that of ``difference`` where a carry comes in, as ``-x`` is ``~x + 1``."""

    def get_sum(self, m: Module, kind: str, *operands: Value) -> Value:
        """The sum of signed operands of one width."""
        width = len(operands[0])
        bits = [[*operand] for operand in operands]
        bits += [[Const(1, 1)] * width for _ in range(4 - len(bits))]
        total, carry = Signal(width), Const(int(kind == "difference"), 1)
        for low in range(0, width, 2):
            ports: dict[str, Any] = {}
            for n, place in enumerate(range(low, min(low + 2, width))):
                ports |= {f"i_{name}{n}": of[place] for name, of in zip("ABCD", bits, strict=True)}
                ports[f"o_S{n}"] = total[place]
            out = Signal()
            m.submodules += Instance(
                "CCU2C",
                p_INIT0=Const(self.TABLES[kind], 16),
                p_INIT1=Const(self.TABLES[kind], 16),
                p_INJECT1_0="NO",
                p_INJECT1_1="NO",
                i_CIN=carry,
                o_COUT=out,
                **ports,
            )
            carry = out
        return total


class Ulx3s25f(HeldProduct, CarryChain, ULX3S_25F_Platform):  # type: ignore[misc]
    """With products that hold, and sums that choose."""


class Ulx3s85f(HeldProduct, CarryChain, ULX3S_85F_Platform):  # type: ignore[misc]
    """With products that hold, and sums that choose."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sites = _sites_85f()


ULX3S_85F = Board(
    name="ulx3s-85f",
    budget=LFE5U_85F,
    family=ECP5,
    platform=Ulx3s85f,
    oscillator_hz=25_000_000,
    clock=Ecp5Pll(reference=5, feedback=18, output=7),
    slower=Ecp5Pll(reference=5, feedback=16, output=8),
    baud=1_000_000,
)

ULX3S_25F = Board(
    name="ulx3s-25f",
    budget=LFE5U_25F,
    family=ECP5,
    platform=Ulx3s25f,
    oscillator_hz=25_000_000,
    clock=Ecp5Pll(reference=1, feedback=3, output=8),
    baud=1_000_000,
)
