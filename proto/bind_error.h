// Why a socket cannot listen, in words that say what to do.
#pragma once

#include "kernels/base/status.h"
#include "proto/endpoint.h"

namespace bitpilot {

// `error`, an errno, says that this machine does not have the address.
bool IsNoAddressHere(int error);

// kUnavailable, naming the endpoint.
Status BindError(const Endpoint& address, int error);

}  // namespace bitpilot
