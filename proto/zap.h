// ZAP (ZeroMQ Authentication Protocol, RFC 27): what libzmq asks whoever answers at kZapEndpoint about
// each peer that connects, and the answer. Both sides that listen use it: a daemon for agents, an
// agent for boards that connect to it.
#pragma once

#include <string>
#include <vector>

namespace bitpilot {

// Where libzmq asks. Bound before any public endpoint: with kZapEnforceDomain nobody gets in without
// it.
inline constexpr char kZapEndpoint[] = "inproc://zeromq.zap.01";
inline constexpr char kZapDomain[] = "bitpilot";
// ZMQ_ZAP_ENFORCE_DOMAIN: its name is in draft headers only; the option is in every libzmq of 4.3.
inline constexpr int kZapEnforceDomain = 93;

struct ZapRequest {
  std::string request_id;
  std::string peer_address;  // empty if the request does not tell
  std::string raw_key;       // of the peer, 32 bytes; empty if the request holds none
  std::string problem;       // why it lets nobody in, whatever the key; empty if it is in order
};

// Any frames are legal input.
ZapRequest ReadZapRequest(const std::vector<std::string>& frames);

// The frames that answer a request. refusal: why the peer stays outside; empty: it gets in, and its
// messages carry `user_id`.
std::vector<std::string> ZapReply(const ZapRequest& request, const std::string& refusal,
                                  const std::string& user_id);

}  // namespace bitpilot
