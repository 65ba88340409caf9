// How the simulated lab calls the jobs of a board, and what they are of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/bitpilot.pb.h"

namespace bitpilot::simulation {

// An inference has no id: its session and request are one.
inline std::string InferenceName(const std::string& session_id, std::uint64_t request_id) {
  return session_id + " " + std::to_string(request_id);
}

inline std::string JobNameOf(const v1::Envelope& request) {
  if (request.has_infer_request()) return InferenceName(request.session_id(), request.request_id());
  return request.measure_request().measure_id();
}

// SHA-256 of each.
inline std::vector<std::string> NetworksOf(const v1::Envelope& envelope) {
  if (envelope.has_infer_request()) return {envelope.infer_request().network_sha256()};
  const auto& networks = envelope.measure_request().network_sha256();
  return {networks.begin(), networks.end()};
}

}  // namespace bitpilot::simulation
