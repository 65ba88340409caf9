// A board's table in the shapes that other tools read.
#pragma once

#include <string>

#include "agent/profile/lut.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// One line an entry; columns: layer, weight_bits, activation_bits, latency_median_ns,
// latency_low_ns, latency_high_ns, confidence, samples, kernel, weight_bytes, energy_uj,
// energy_source. Widths are empty for operations without weights, energy_uj where none was
// measured.
std::string FormatLutCsv(const Lut& lut);

// HAQ's table: a NumPy file (.npy, version 1.0), int64 [layers][8][8] in C order, as its
// `cost_lookuptable[layer, weight_bits - 1, activation_bits - 1]`; nanoseconds. A pair that the
// profile did not measure stands for the next wider one that it did, so that no width looks free.
//
// Source: Wang et al., "HAQ: Hardware-Aware Automated Quantization with Mixed Precision", CVPR
// 2019, and its published code, lib/env/linear_quantize_env.py.
//
// REQUIRES: `lut` has entries of every layer at 8 x 8 bits.
std::string FormatHaqTable(const Lut& lut, const Topology& topology);

// The table as Free Bits keys it: JSON {"latency_unit":"ns","max_latency":N,"rows":[...]}, one row
// for each different layer and pair of widths, with the layer's identity (kernel, in_size,
// out_size, depthwise, groups, padding, stride, ch_in, ch_out), in_bits, w_bits, out_bits and
// latency. A fully connected layer is a 1x1 convolution of one pixel. Layers of one identity give
// their mean (those that add a residual are not told apart there). max_latency is the largest row.
//
// Source: Rutishauser, Conti and Benini, "Free Bits: Latency Optimization of Mixed-Precision
// Quantized Neural Networks on the Edge", arXiv:2307.02894, and quantlib's bench specification.
std::string FormatFreeBitsTable(const Lut& lut, const Topology& topology);

// Writes `lut` in the form that the end of `path` names: .free-bits.json, .json (FormatLut()),
// .cost (kernels/base/cost_table.h, a sixth of the size), .csv or .npy (HAQ).
//
// Errors:
//   kInvalidArgument  another ending.
//   kDataCorrupt      the table is not of this network: it lacks a layer at 8 x 8 bits, or names
//                     one that the network has not.
//   Also WriteFileAtomically()'s.
Status ExportLut(const Lut& lut, const Topology& topology, const std::string& path);

// OK if ExportLut() knows the ending of `path`.
Status CheckExportPath(const std::string& path);

}  // namespace bitpilot
