"""Tables of four inputs in place of smaller ones, which Gowin's place and route does not time."""

import random
from pathlib import Path

from boards.gowin import LUT4_MAP
from boards.registry import find_board
from tests.boards.proof import proves

MODELS = """
module LUT1(output F, input I0); parameter INIT = 0; wire [1:0] t = INIT;
  assign F = t[I0]; endmodule
module LUT2(output F, input I0, I1); parameter INIT = 0; wire [3:0] t = INIT;
  assign F = t[{I1, I0}]; endmodule
module LUT3(output F, input I0, I1, I2); parameter INIT = 0; wire [7:0] t = INIT;
  assign F = t[{I2, I1, I0}]; endmodule
module LUT4(output F, input I0, I1, I2, I3); parameter INIT = 0; wire [15:0] t = INIT;
  assign F = t[{I3, I2, I1, I0}]; endmodule
"""
"""A table's output is the bit of INIT that its inputs, the lowest first, name."""


def tables() -> list[tuple[int, int]]:
    """Inputs and contents: all of one and of two, some of three."""
    some = random.Random(1).sample(range(256), 40)
    sizes = {1: range(4), 2: range(16), 3: [0, 1, 128, 255, *some]}
    return [(inputs, content) for inputs, contents in sizes.items() for content in contents]


def prove(folder: Path, smap: str) -> bool:
    """Whether Yosys proves that the map's tables say what those before say."""
    cells = "".join(
        f"  LUT{n} #(.INIT({1 << n}'d{content})) u{number} (.F(f[{number}]), "
        f"{', '.join(f'.I{i}(x[{i}])' for i in range(n))});\n"
        for number, (n, content) in enumerate(tables())
    )
    ports = f"(output [{len(tables()) - 1}:0] f, input [2:0] x)"
    (folder / "models.v").write_text(MODELS)
    (folder / "tables.v").write_text(f"module gold{ports};\n{cells}endmodule\n")
    (folder / LUT4_MAP).write_text(smap)
    commands = f"""
read_verilog -lib models.v
read_verilog tables.v
copy gold gate
techmap -map {LUT4_MAP} gate
select -assert-none gate/t:LUT1 gate/t:LUT2 gate/t:LUT3
read_verilog -overwrite models.v
hierarchy -check; proc; flatten gold gate; opt_clean
miter -equiv -flatten gold gate miter
sat -verify -prove trigger 0 miter
"""
    return proves(commands, folder)


def test_larger_tables_say_the_same(tmp_path: Path) -> None:
    smap = find_board("tang-nano-9k").platform().file_templates[LUT4_MAP]
    assert prove(tmp_path, smap)
    assert not prove(
        tmp_path, smap.replace(".I0(I0), .I1(I1), .I2(I2)", ".I0(I1), .I1(I0), .I2(I2)")
    )
