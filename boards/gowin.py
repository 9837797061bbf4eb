"""The Gowin family and its boards."""

from amaranth_boards.tang_nano_9k import TangNano9kPlatform

from boards.board import Board, Family
from boards.clocks import GowinPll
from boards.parts import CELLS, GW1NR_9C
from boards.synthesis import DROP_COLLISION_LOGIC, HIDE_ELEMENTS, MIND_TIMING


class TangNano9k(TangNano9kPlatform):  # type: ignore[misc]
    """Amaranth's platform with the place and route of today: Amaranth 0.5.10 calls
    ``nextpnr-gowin``, which nextpnr no longer has."""

    device = TangNano9kPlatform.family
    required_tools = ("yosys", "nextpnr-himbaechel-gowin", "gowin_pack")

    @property
    def file_templates(self) -> dict[str, str]:
        """Amaranth's files, and what `TIMED_LUTS` reads."""
        return {**self._apicula_file_templates, LUT4_MAP: _LUT4}

    @property
    def command_templates(self) -> list[str]:
        """Amaranth's commands, the second one replaced."""
        synthesis, _, pack = self._apicula_command_templates
        return [synthesis, _PLACE_AND_ROUTE, pack]


_PLACE_AND_ROUTE = r"""
{{invoke_tool("nextpnr-himbaechel-gowin")}}
    {{quiet("--quiet")}}
    {{get_override("nextpnr_opts")|options}}
    --log {{name}}.tim
    --device {{platform.part}}
    --vopt family={{platform._chipdb_device}}
    --vopt cst={{name}}.cst
    --json {{name}}.syn.json
    --write {{name}}.pnr.json
"""

LUT4_MAP = "lut4.map"
"""File that says each smaller table as one of four inputs."""
_LUT4 = """\
module LUT1 (output F, input I0);
  parameter INIT = 2'b0;
  LUT4 #(.INIT({8{INIT}})) _TECHMAP_REPLACE_ (.F(F), .I0(I0), .I1(1'b0), .I2(1'b0), .I3(1'b0));
endmodule
module LUT2 (output F, input I0, I1);
  parameter INIT = 4'b0;
  LUT4 #(.INIT({4{INIT}})) _TECHMAP_REPLACE_ (.F(F), .I0(I0), .I1(I1), .I2(1'b0), .I3(1'b0));
endmodule
module LUT3 (output F, input I0, I1, I2);
  parameter INIT = 8'b0;
  LUT4 #(.INIT({2{INIT}})) _TECHMAP_REPLACE_ (.F(F), .I0(I0), .I1(I1), .I2(I2), .I3(1'b0));
endmodule
"""
TIMED_LUTS = f"""\
techmap -map {LUT4_MAP}
clean
write_json top.syn.json"""
"""nextpnr-himbaechel-gowin 0.11.1 has no delay for LUT1, LUT2 and LUT3, and one for LUT4, whose
place they take anyway. 2,049 of 3,291 tables of `digits` were of the first kinds: with them the
tool reported 105.4 MHz, without them 59.8 for the same netlist."""

GOWIN = Family(
    place_and_route="nextpnr-himbaechel-gowin",
    pack="gowin_pack",
    bitstream="fs",
    # A carry takes the place of a LUT4. Products of at most 9 x 9 bits become MULT9X9, two of which
    # share the place of a MULT18X18: the table does not count them.
    resources={CELLS: ("LUT4", "ALU"), "BSRAM": ("BSRAM",), "MULT18X18": ("MULT18X18",)},
    script_after_read=f"{DROP_COLLISION_LOGIC}\n{HIDE_ELEMENTS}",
    place_options=MIND_TIMING,
    untimed=(
        "multipliers",
        "what block RAM gives after its clock (3.46 ns by Apycula's data)",
        "the pass-through of a flip-flop without a table of its own (0.63 ns)",
    ),
    # One of each of the last two on any path; of multipliers nobody has a figure.
    untimed_ns=4.1,
    overrides={"script_after_synth": TIMED_LUTS},
)

TANG_NANO_9K = Board(
    name="tang-nano-9k",
    budget=GW1NR_9C,
    family=GOWIN,
    platform=TangNano9k,
    oscillator_hz=27_000_000,
    clock=GowinPll(reference=1, feedback=2, output=16),
    baud=1_000_000,
)
