// The address at the other end of a connection, for logs.
#pragma once

#include <string>

namespace bitpilot {

// "192.0.2.7:40123" or "[2001:db8::7]:40123"; empty if the descriptor is no connected TCP socket.
std::string PeerAddressOf(int descriptor);

}  // namespace bitpilot
