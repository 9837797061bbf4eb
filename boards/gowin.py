"""The Gowin family and its boards."""

from amaranth_boards.tang_nano_9k import TangNano9kPlatform

from boards.board import Board, Family
from boards.clocks import GowinPll
from boards.parts import CELLS, GW1NR_9C
from boards.synthesis import DROP_COLLISION_LOGIC, HIDE_ELEMENTS


class TangNano9k(TangNano9kPlatform):  # type: ignore[misc]
    """Amaranth's platform with the place and route of today: Amaranth 0.5.10 calls
    ``nextpnr-gowin``, which nextpnr no longer has."""

    device = TangNano9kPlatform.family
    required_tools = ("yosys", "nextpnr-himbaechel-gowin", "gowin_pack")

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

GOWIN = Family(
    place_and_route="nextpnr-himbaechel-gowin",
    pack="gowin_pack",
    bitstream="fs",
    # A carry takes the place of a LUT4. Products of at most 9 x 9 bits become MULT9X9, two of which
    # share the place of a MULT18X18: the table does not count them.
    resources={CELLS: ("LUT4", "ALU"), "BSRAM": ("BSRAM",), "MULT18X18": ("MULT18X18",)},
    script_after_read=f"{DROP_COLLISION_LOGIC}\n{HIDE_ELEMENTS}",
)

TANG_NANO_9K = Board(
    name="tang-nano-9k",
    budget=GW1NR_9C,
    family=GOWIN,
    platform=TangNano9k,
    oscillator_hz=27_000_000,
    clock=GowinPll(reference=1, feedback=3, output=8),
    baud=1_000_000,
)
