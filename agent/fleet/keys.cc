#include "agent/fleet/keys.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "agent/fleet/private_file.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

std::string SecretPath(const std::string& directory) { return directory + "/agent.key"; }
std::string PublicPath(const std::string& directory) { return directory + "/agent.pub"; }

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// The key in a file, without the line end.
Result<std::string> ReadKey(const std::string& path) {
  Result<std::string> text = ReadFile(path);
  if (!text.ok()) return text;
  std::string key = std::move(text).value();
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  return key;
}

Status CheckPrivate(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return {};  // reading it says why
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) == 0) return {};
  return {StatusCode::kPermissionDenied,
          path + ": others than its owner may read this secret key; run `chmod 600 " + path + "`"};
}

}  // namespace

Result<AgentKeys> CreateAgentKeys(const std::string& directory, bool overwrite) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Status(StatusCode::kPermissionDenied,
                  directory + ": cannot make the folder: " + std::strerror(errno));
  }
  const std::string secret_path = SecretPath(directory);
  if (!overwrite && (Exists(secret_path) || Exists(PublicPath(directory)))) {
    return InvalidArgument(directory +
                           ": there are keys already; boards know the agent by them. Use "
                           "--force to replace them, or another folder");
  }
  AgentKeys keys = GenerateCurveKeys();
  BITPILOT_RETURN_IF_ERROR(WriteFileWithMode(secret_path, keys.secret_key + "\n", 0600));
  BITPILOT_RETURN_IF_ERROR(WriteFileWithMode(PublicPath(directory), keys.public_key + "\n", 0644));
  return keys;
}

Result<AgentKeys> ReadAgentKeys(const std::string& directory) {
  const std::string secret_path = SecretPath(directory);
  if (!Exists(secret_path)) {
    return Status(StatusCode::kNotFound, secret_path +
                                             ": no agent keys here; make them with `bitpilot fleet "
                                             "keygen --keys " +
                                             directory + "`");
  }
  BITPILOT_RETURN_IF_ERROR(CheckPrivate(secret_path));
  const Result<std::string> secret_key = ReadKey(secret_path);
  if (!secret_key.ok()) return secret_key.status();
  const Result<std::string> public_key = ReadKey(PublicPath(directory));
  if (!public_key.ok()) return public_key.status();
  const Result<std::string> expected = PublicKeyOf(*secret_key);
  if (!expected.ok()) return DataCorrupt(secret_path + ": " + expected.status().message());
  if (*expected != *public_key) {
    return DataCorrupt(PublicPath(directory) + ": is not the public half of " + secret_path +
                       "; expected " + *expected + ", got '" + *public_key + "'");
  }
  return AgentKeys{*public_key, *secret_key};
}

}  // namespace bitpilot
