// What the agent's sockets have in common. The only file of the agent that includes ZeroMQ, and
// included by the sources of this folder alone: headers keep it out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include "kernels/base/status.h"
#include "proto/framing.h"

namespace bitpilot {

inline constexpr std::size_t kZ85KeyLength = 40;

// So many characters of Z85.
bool IsCurveKey(std::string_view key);
// REQUIRES: raw_key.size() == 32.
std::string EncodeZ85(const std::string& raw_key);

// Bounds for hostile and broken peers, and what notices that one is gone: sizes, queues, times,
// heartbeats.
//
// Throws zmq::error_t, as does what follows.
void SetPeerLimits(zmq::socket_t& socket);

// CURVE's server, at which nobody gets in but by the answer of the context's ZAP handler.
void SecureAsServer(zmq::socket_t& socket, const std::string& secret_key);

// The next message; none if there is none now. Never waits.
std::vector<zmq::message_t> ReceiveFrames(zmq::socket_t& socket);
// As texts.
std::vector<std::string> ToTexts(const std::vector<zmq::message_t>& frames);

// A message of the protocol from its frames, those before `first` left out.
Result<Message> DecodeFrames(const std::vector<zmq::message_t>& frames, std::size_t first);

enum class Sent : std::uint8_t {
  kAll,
  kNotNow,  // the peer does not read; nothing was sent
  kNoPeer,  // of a router: it is gone
};
Sent SendFrames(zmq::socket_t& socket, const std::vector<std::string>& frames);

}  // namespace bitpilot
