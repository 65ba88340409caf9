#include "device_daemon/server/system_user.h"

#include <pwd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "kernels/base/file_io.h"
#include "kernels/base/quoted.h"

namespace bitpilot {

Result<SystemUser> FindSystemUser(const std::string& name, const std::string& passwd) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(passwd.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) return FileError(passwd, "open", errno);
  while (const struct passwd* entry = fgetpwent(file.get())) {
    if (entry->pw_name == name) return SystemUser{name, entry->pw_uid, entry->pw_gid};
  }
  return Status(StatusCode::kNotFound,
                passwd + ": there is no user " + Quoted(name) +
                    "; expected a user of this machine, such as bitpilotd, whom the package adds");
}

}  // namespace bitpilot
