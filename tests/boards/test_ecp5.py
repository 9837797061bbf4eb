"""The blocks that ECP5 boards instantiate, against models of them."""

from collections.abc import Callable

import pytest
from amaranth import Module, Signal, signed
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.clocks import Ecp5Pll
from boards.ecp5 import CarryChain, Ulx3s85f
from boards.parts import LFE5U_85F
from boards.registry import find_board
from hdl.rtl.parts.adder import chosen_sum, masked_sum, partial_products
from hdl.rtl.parts.multiplier import held_product
from tests.boards.proof import proves

BITS = 18
PORTS = {
    **{f"{letter}{bit}": "input" for letter in "ABC" for bit in range(BITS)},
    **{f"P{bit}": "output" for bit in range(2 * BITS)},
    **dict.fromkeys(["SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB", "CLK0", "CE0", "RST0"], "input"),
}


def bus(letter: str, bits: int) -> str:
    """Its bits as one Verilog word, the highest first."""
    return "{" + ", ".join(f"{letter}{bit}" for bit in reversed(range(bits))) + "}"


# After Lattice's technical note FPGA-TN-02205: signed operands, and a register where its clock is
# named; every other configuration than ours stays without a result.
MODEL = f"""
module MULT18X18D({", ".join(f"{kind} {port}" for port, kind in PORTS.items())});
  parameter REG_INPUTA_CLK = "CLK0", REG_INPUTB_CLK = "CLK0", REG_INPUTC_CLK = "CLK0";
  parameter REG_INPUTA_CE = "CE3", REG_INPUTA_RST = "RST3";
  parameter REG_INPUTB_CE = "CE3", REG_INPUTB_RST = "RST3";
  parameter REG_PIPELINE_CLK = "CLK0", REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE3";
  parameter REG_OUTPUT_RST = "RST3", RESETMODE = "ASYNC", GSR = "ENABLED", CLK0_DIV = "DISABLED";
  parameter SOURCEB_MODE = "C_SHIFT", MULT_BYPASS = "ENABLED", CAS_MATCH_REG = "TRUE";
  wire signed [17:0] a = {bus("A", BITS)}, b = {bus("B", BITS)};
  reg signed [17:0] held_a, held_b;
  reg [35:0] p;
  assign {bus("P", 2 * BITS)} = p;
  generate
    if (REG_PIPELINE_CLK == "NONE"
        && REG_OUTPUT_CLK == "CLK0" && REG_OUTPUT_CE == "CE0" && REG_OUTPUT_RST == "RST0"
        && MULT_BYPASS == "DISABLED" && RESETMODE == "SYNC")
      if (REG_INPUTA_CLK == "NONE" && REG_INPUTB_CLK == "NONE") begin
        always @(posedge CLK0)
          if (RST0) p <= 0;
          else if (CE0) p <= SIGNEDA & SIGNEDB & ~SOURCEA & ~SOURCEB ? a * b : 36'd0;
      end else if (REG_INPUTA_CLK == "CLK0" && REG_INPUTA_CE == "CE0" && REG_INPUTA_RST == "RST0"
          && REG_INPUTB_CLK == "CLK0" && REG_INPUTB_CE == "CE0" && REG_INPUTB_RST == "RST0")
        always @(posedge CLK0)
          if (RST0) {{held_a, held_b, p}} <= 0;
          else if (CE0) begin
            held_a <= a;
            held_b <= b;
            p <= SIGNEDA & SIGNEDB & ~SOURCEA & ~SOURCEB ? held_a * held_b : 36'd0;
          end
  endgenerate
endmodule
"""


class Product(wiring.Component):
    """One product of a lane."""

    def __init__(self, bits: tuple[int, int], platform: object, hold_operands: bool) -> None:
        self.wanted, self.hold_operands = platform, hold_operands
        shape = {"a": In(signed(bits[0])), "b": In(signed(bits[1]))}
        super().__init__(shape | {"o": Out(signed(sum(bits)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = Signal.like(self.a), Signal.like(self.b)
        m.d.comb += [a.eq(self.a), b.eq(self.b)]
        held = self.hold_operands
        o = held_product(
            m, a, b, hard=True, platform=self.wanted, name="product", hold_operands=held
        )
        m.d.comb += self.o.eq(o)
        return m


def equal(
    design: Callable[[object], wiring.Component], model: str, *, flops: str = "", sat: str = ""
) -> bool:
    """Whether Yosys proves that what `design` gives for a ULX3S is what it gives for no board.

    `model` reads the primitives' models; `flops` and `sat` are what a proof over clocks adds.
    """
    boards = {"gold": None, "gate": find_board("ulx3s-85f").platform()}
    texts = [
        rtlil.convert(design(platform), name=name, emit_src=False)
        for name, platform in boards.items()
    ]
    designs = "\n".join(f"read_rtlil <<rtlil\n{text}\nrtlil" for text in texts)
    commands = f"""
{designs}
{model}
setattr -mod -unset top gold gate
hierarchy -check
proc; flatten; opt_clean; {flops}
miter -equiv -flatten -make_outputs gold gate miter
hierarchy -top miter; opt -full
sat -verify {sat} -prove trigger 0 miter
"""
    return proves(commands)


def prove(bits: tuple[int, int], model: str, *, hold_operands: bool = False) -> bool:
    """Whether Yosys proves that the primitive's product is the portable one in every clock."""
    return equal(
        lambda platform: Product(bits, platform, hold_operands),
        f"read_verilog -sv <<verilog\n{model}\nverilog",
        flops="async2sync",
        sat=f"-tempinduct -set-at 1 in_rst 1 -seq {2 + hold_operands}",
    )


@pytest.mark.parametrize("bits", [(6, 5), (4, 6)])
def test_the_instance_is_a_product_one_clock_later(bits: tuple[int, int]) -> None:
    assert prove(bits, MODEL)


def test_with_its_operands_held_it_comes_two_clocks_later() -> None:
    assert prove((6, 5), MODEL, hold_operands=True)


@pytest.mark.parametrize(
    ("hold_operands", "right", "wrong"),
    [(False, "? a * b", "? a * b + 1"), (True, "held_b <= b", "held_b <= a")],
)
def test_the_proof_can_fail(hold_operands: bool, right: str, wrong: str) -> None:
    assert not prove((4, 4), MODEL.replace(right, wrong), hold_operands=hold_operands)


def test_every_multiplier_has_a_site_of_its_own() -> None:
    sites = list(Ulx3s85f().sites)
    assert len(set(sites)) == len(sites) == LFE5U_85F.multiplier.count


# It passes the clock on from a falling edge to another one.
GATE = """
module DCCA(input CLKI, CE, output CLKO);
  reg on = 0;
  always @(negedge CLKI) on <= CE;
  assign CLKO = CLKI & on;
endmodule
"""


class Counts(wiring.Component):
    """Counts clocks of the domain that a PLL drives."""

    clock: In(1)
    locked: In(1)
    count: Out(2)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        clock, locked = Signal(), Signal()
        m.d.comb += [clock.eq(self.clock), locked.eq(self.locked)]
        pll = find_board("ulx3s-85f").clock
        assert isinstance(pll, Ecp5Pll)
        pll.drive(m, clock, locked)
        m.d.sync += self.count.eq(self.count + 1)
        return m


@pytest.mark.parametrize("locked", [0, 1])
def test_nothing_moves_until_the_pll_has_locked(locked: int) -> None:
    commands = f"""
read_rtlil <<rtlil
{rtlil.convert(Counts(), emit_src=False)}
rtlil
read_verilog <<verilog
{GATE}
verilog
hierarchy -check -top top
proc; flatten; async2sync; clk2fflogic; opt_clean
sat -verify -tempinduct -maxsteps 20 -set locked {locked} -prove count 0
"""
    assert proves(commands) != bool(locked)


class Sums(wiring.Component):
    """A sum of each kind."""

    def __init__(self, platform: object, bits: int, gradient_bits: int) -> None:
        self.wanted = platform
        super().__init__(
            {
                **{name: In(signed(bits)) for name in "abc"},
                "d": In(signed(gradient_bits)),
                "choose": In(1),
                "masked": Out(signed(bits + 1)),
                "chosen": Out(signed(bits + 1)),
                "product": Out(signed(bits + gradient_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m, wide = Module(), Signal.like(self.masked)
        m.d.comb += [
            wide.eq(self.a),
            self.masked.eq(masked_sum(m, wide, self.b, self.choose, platform=self.wanted)),
            self.chosen.eq(chosen_sum(m, wide, self.b, self.c, self.choose, platform=self.wanted)),
            self.product.eq(sum(partial_products(m, self.a, self.d, platform=self.wanted))),
        ]
        return m


@pytest.mark.parametrize(("bits", "gradient_bits"), [(5, 1), (4, 4), (3, 5), (6, 2)])
@pytest.mark.parametrize("wrong", [None, *CarryChain.TABLES])
def test_chains_mask_and_choose_as_cells_would(
    bits: int, gradient_bits: int, wrong: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Yosys's own model of the chain; and each kind's table is noticed if it is another one."""
    if wrong:
        monkeypatch.setitem(CarryChain.TABLES, wrong, 0x96AA)
    # A single pair of rows, the last one, is a difference.
    unused = wrong == "products" and gradient_bits <= 2
    assert equal(
        lambda platform: Sums(platform, bits, gradient_bits),
        "read_verilog +/ecp5/common_sim.vh +/ecp5/ccu2c_sim.vh",
    ) == (wrong is None or unused)
