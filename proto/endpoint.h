// Endpoints: "tcp://HOST:PORT", where a daemon listens and an agent connects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

struct Endpoint {
  std::string host;  // A name, 192.0.2.7 or 2001:db8::7 (without brackets).
  std::uint16_t port = 0;

  bool is_ipv6() const { return host.find(':') != std::string::npos; }
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// "tcp://192.0.2.7:7777"; an IPv6 address gets its brackets.
std::string ToString(const Endpoint& endpoint);

enum class EndpointUse {
  kConnect,
  kListen,  // Port 0 takes a free one, and host * stands for every IPv4 address of this machine.
};

// Errors: kInvalidArgument quotes `text` and says what was expected.
Result<Endpoint> ParseEndpoint(std::string_view text, EndpointUse use);

// Every address of the endpoint's host, in the order in which the system would try them; of an
// address itself. Asks the name service, which may take seconds.
//
// Errors:
//   kNotFound         no such host.
//   kUnavailable      the name service does not answer now.
//   kInvalidArgument  a name, and this program is static (BITPILOT_STATIC): it asks no name service.
Result<std::vector<Endpoint>> ResolveEndpoint(const Endpoint& endpoint);

}  // namespace bitpilot
