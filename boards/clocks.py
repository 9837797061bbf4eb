"""Clock and power-on reset of a design, from the oscillator through a PLL.

Each class is a setting: `output_hz` says what it gives, `connect` adds the domain ``sync``, which
does nothing until the clock is good, to a module.
"""

from dataclasses import dataclass
from typing import Any

from amaranth import ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer

POWER_ON_SECONDS = 15e-6
"""iCE40 block RAM reads as zero for about 3 us after configuration; five times that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ice40Pll:
    """SB_PLL40_PAD or SB_PLL40_CORE with simple feedback.

    Members
    -------
    divr, divf, divq, filter_range
        The fields of the primitive; ``icepll -i 12 -o 36`` prints them.
    own_pin
        Whether the oscillator is on the pin that belongs to the PLL; else its clock gets there
        through the fabric.
    """

    divr: int
    divf: int
    divq: int
    filter_range: int
    own_pin: bool = True

    def output_hz(self, input_hz: int) -> int:
        """``input * (divf + 1) / ((divr + 1) * 2**divq)``."""
        return input_hz * (self.divf + 1) // ((self.divr + 1) << self.divq)

    def connect(self, m: Module, platform: Any) -> None:
        """Add the PLL, and a reset for a while after it has locked."""
        pin = platform.request(platform.default_clk, dir="-")
        clock, locked = Signal(name="pll_clock"), Signal(name="pll_locked")
        if self.own_pin:
            primitive, source = "SB_PLL40_PAD", {"i_PACKAGEPIN": pin.io}
        else:
            m.submodules.clock_buffer = buffer = io.Buffer("i", pin)
            primitive, source = "SB_PLL40_CORE", {"i_REFERENCECLK": buffer.i}
        m.submodules.pll = Instance(
            primitive,
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(self.divr, 4),
            p_DIVF=Const(self.divf, 7),
            p_DIVQ=Const(self.divq, 3),
            p_FILTER_RANGE=Const(self.filter_range, 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
            **source,
        )
        output_hz = self.output_hz(int(platform.default_clk_frequency))
        platform.add_clock_constraint(clock, output_hz)
        ticks = Signal(range(int(output_hz * POWER_ON_SECONDS) + 1))
        ready = Signal()
        m.domains.power_on = ClockDomain(reset_less=True, local=True)
        m.domains.sync = ClockDomain()
        m.d.comb += [
            ClockSignal("power_on").eq(clock),
            ClockSignal("sync").eq(clock),
            ResetSignal("sync").eq(~ready),
        ]
        with m.If(locked & ~ready):
            m.d.power_on += [ticks.eq(ticks + 1), ready.eq(ticks.all())]


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioPll:
    """A PLL fed from a pin through a buffer; subclasses name the primitive.

    Members
    -------
    reference, feedback, output
        Divisors; the oscillator inside runs at ``input * feedback * output / reference``.
    """

    reference: int
    feedback: int
    output: int

    def output_hz(self, input_hz: int) -> int:
        """``input * feedback / reference``."""
        return input_hz * self.feedback // self.reference

    def connect(self, m: Module, platform: Any) -> None:
        """Add the PLL, and the domain that it drives."""
        m.submodules.clock_buffer = pin = io.Buffer(
            "i", platform.request(platform.default_clk, dir="-")
        )
        clock, locked = Signal(name="pll_clock"), Signal(name="pll_locked")
        m.submodules.pll = self.primitive(platform, pin.i, clock, locked)
        # The output's constraint: nextpnr-ecp5 derives it, and to Gowin's tool the build gives one
        # for all clocks.
        self.drive(m, clock, locked)

    def drive(self, m: Module, clock: Signal, locked: Signal) -> None:
        """The domain is in reset until the PLL has locked."""
        m.domains.sync = ClockDomain()
        m.d.comb += ClockSignal("sync").eq(clock)
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")

    def primitive(self, platform: Any, source: Any, clock: Signal, locked: Signal) -> Instance:
        """The family's own, from `source` to `clock` and `locked`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecp5Pll(RatioPll):
    """EHXPLLL that feeds its first output back.

    `reference`, `feedback` and `output` are CLKI_DIV, CLKFB_DIV and CLKOP_DIV; the oscillator
    inside must stay within 400 to 800 MHz.
    """

    def drive(self, m: Module, clock: Signal, locked: Signal) -> None:
        """The clock stands still until the PLL has locked, and registers keep what the bitstream
        gave them: so no reset has to reach tens of thousands of them within a clock."""
        m.domains.running = ClockDomain(reset_less=True, local=True)
        m.domains.sync = ClockDomain(reset_less=True)
        ready, gated = Signal(name="clock_ready"), Signal(name="gated_clock")
        m.submodules.ready = FFSynchronizer(locked, ready, o_domain="running")
        m.submodules.gate = Instance("DCCA", i_CLKI=clock, i_CE=ready, o_CLKO=gated)
        m.d.comb += [ClockSignal("running").eq(clock), ClockSignal("sync").eq(gated)]

    def primitive(self, platform: Any, source: Any, clock: Signal, locked: Signal) -> Instance:
        """EHXPLLL."""
        return Instance(
            "EHXPLLL",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKI_DIV=self.reference,
            p_CLKFB_DIV=self.feedback,
            p_CLKOP_DIV=self.output,
            p_CLKOP_CPHASE=self.output - 1,
            p_CLKOP_FPHASE=0,
            i_CLKI=source,
            i_CLKFB=clock,
            i_RST=Const(0),
            i_STDBY=Const(0),
            o_CLKOP=clock,
            o_LOCK=locked,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GowinPll(RatioPll):
    """rPLL with feedback inside.

    IDIV_SEL and FBDIV_SEL are one less than `reference` and `feedback`, ODIV_SEL is `output`. The
    oscillator inside must stay within 400 to 1200 MHz; ``gowin_pll -i 27 -o 54`` prints the fields.
    """

    def primitive(self, platform: Any, source: Any, clock: Signal, locked: Signal) -> Instance:
        """rPLL."""
        unused = {f"i_{port}": Const(0, 6) for port in ("FBDSEL", "IDSEL", "ODSEL")}
        unused |= {f"i_{port}": Const(0, 4) for port in ("PSDA", "DUTYDA", "FDLY")}
        return Instance(
            "rPLL",
            p_DEVICE=platform.family,
            p_FCLKIN=f"{platform.default_clk_frequency / 1e6:g}",
            p_IDIV_SEL=self.reference - 1,
            p_FBDIV_SEL=self.feedback - 1,
            p_ODIV_SEL=self.output,
            i_CLKIN=source,
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            o_CLKOUT=clock,
            o_LOCK=locked,
            **unused,
        )


Clock = Ice40Pll | Ecp5Pll | GowinPll
"""How a board makes the design's clock."""
