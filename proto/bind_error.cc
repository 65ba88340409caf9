#include "proto/bind_error.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace bitpilot {

// libzmq answers with ENODEV where the system said EADDRNOTAVAIL.
bool IsNoAddressHere(int error) {
  return error == ENODEV || error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

Status BindError(const Endpoint& address, int error) {
  const std::string endpoint = ToString(address);
  std::string why = "cannot listen on " + endpoint + ": " + std::strerror(error);
  if (error == EADDRINUSE) {
    why =
        endpoint + " is in use by another program; choose another port, or port 0 for any free one";
  } else if (error == EACCES) {
    why += "; choose a port above 1023";
  } else if (IsNoAddressHere(error)) {
    why = "cannot listen on " + endpoint +
          ": this machine has no such address; choose one that `ip address` lists, or 0.0.0.0 or "
          "[::] for all of them";
  }
  return {StatusCode::kUnavailable, why};
}

}  // namespace bitpilot
