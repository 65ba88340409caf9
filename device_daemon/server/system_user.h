// Users of this machine that are in /etc/passwd, as the system users of packages are. Asks no name
// service, which a static program has none of.
#pragma once

#include <sys/types.h>

#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

struct SystemUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Errors: kNotFound names `passwd` and the user; what else keeps it from being read, names `passwd`.
Result<SystemUser> FindSystemUser(const std::string& name,
                                  const std::string& passwd = "/etc/passwd");

}  // namespace bitpilot
