// The networks that the flags of `bitpilotd bench` name.
#pragma once

#include <string>

#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct BenchNetworkChoice {
  std::string name;  // a standard network's, which then has random weights, or a network file
  std::string bits;  // "w4a8", of a standard network: its ends keep 8 bits; empty: w8a8
};

// flag, bits_flag: what gave the two, for messages: "--network".
//
// Errors: kInvalidArgument for neither a file nor a known network, widths that are none, and widths of
// a file, which has its own; ReadNetworkFile()'s, as corrupt input.
Result<Network> LoadBenchNetwork(const BenchNetworkChoice& choice, const std::string& flag,
                                 const std::string& bits_flag);

// What --versus names, beside A: a network file, a standard network (with widths: "resnet20:w4a8"), or
// widths alone, "w8a8", of the standard network that A is.
//
// Errors: as LoadBenchNetwork(); widths alone where A is a file.
Result<BenchNetworkChoice> ParseVersus(const std::string& text, const BenchNetworkChoice& a);

}  // namespace bitpilot
