#!/bin/sh
# Profiles ResNet-8 and ResNet-20 on each instruction set of this machine and writes its model boards:
# profile_machine.sh BITPILOT CPU FOLDER [ISA...]
#
# CPU names the machine, e.g. zen5. FOLDER gets CPU_ISA_NETWORK.json (the whole table, with intervals and
# kernels) and .cost. About a minute a table; Ctrl-C saves, and the same command goes on. Tables that are
# in FOLDER already stay.
set -eu
bitpilot=$1
cpu=$2
folder=$3
shift 3
[ $# -gt 0 ] || set -- scalar scalar-popcnt sse4 avx2 avxvnni avx512vnni
mkdir -p "$folder"
for isa in "$@"; do
  for network in resnet20 resnet8; do
    table=$folder/${cpu}_${isa}_$network
    [ -e "$table.json" ] || "$bitpilot" profile --model "$network" --device "local:$isa" --quick \
      --name "${cpu}_${isa}_$network" --export "$table.json" --export "$table.cost"
  done
done
