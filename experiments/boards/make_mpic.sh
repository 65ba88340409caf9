#!/bin/sh
# Writes MPIC's cost table of one network: make_mpic.sh NETWORK < LAYERS > mpic_NETWORK.cost
#
# LAYERS has a line "NAME MACS" for each layer with weights (layers/NETWORK.txt).
set -eu
cat <<END
bitpilot-cost-table 1
name mpic-$1
source "Risso et al., arXiv:2206.08852, hw_models.py (PLiNIO plinio/cost/mpic_*.py); core: MPIC, arXiv:2010.04073"
energy_unit uJ-model
END
exec awk '
  BEGIN {
    # Multiply-accumulates a cycle, by activation and weight bits.
    rate[2, 2] = 6.5; rate[2, 4] = 4.0; rate[2, 8] = 2.2
    rate[4, 2] = 3.9; rate[4, 4] = 3.5; rate[4, 8] = 2.1
    rate[8, 2] = 2.5; rate[8, 4] = 2.3; rate[8, 8] = 2.1
    clock_hz = 250e6
    power_w = (5.30 + 5.39 + 5.46 + 5.38) / 4 * 1e-3
  }
  {
    for (w = 2; w <= 8; w *= 2) {
      for (a = 2; a <= 8; a *= 2) {
        seconds = $2 / rate[a, w] / clock_hz
        printf "op %s w %d a %d latency_ns %.12g energy %.12g\n", $1, w, a, seconds * 1e9, seconds * power_w * 1e6
      }
    }
  }'
