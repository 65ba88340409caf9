#include "agent/fleet/keys.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "agent/fleet/zmq_link.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/file_io.h"
#include "kernels/base/guarded_file.h"
#include "kernels/base/shell_word.h"
#include "kernels/base/text_file.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

std::string SecretPath(const std::string& directory) { return directory + "/agent.key"; }
std::string PublicPath(const std::string& directory) { return directory + "/agent.pub"; }

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// The key in a file, without the line end and what an editor may put in front.
Result<std::string> WithoutLineEnd(Result<std::string> text) {
  if (!text.ok()) return text;
  std::string key(WithoutByteOrderMark(*text));
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  return key;
}

// The pair of the secret key that is in `directory`.
Result<AgentKeys> PairOfSecret(const std::string& directory) {
  const std::string path = SecretPath(directory);
  const Result<std::string> secret_key =
      WithoutLineEnd(ReadGuardedFile(path, GuardedContent::kSecret));
  if (!secret_key.ok()) return secret_key.status();
  const Result<std::string> public_key = PublicKeyOf(*secret_key);
  if (!public_key.ok()) return DataCorrupt(path + ": " + public_key.status().message());
  return AgentKeys{*public_key, *secret_key};
}

bool IsPublished(const AgentKeys& keys, const std::string& directory) {
  const Result<std::string> shown = WithoutLineEnd(ReadTextFile(PublicPath(directory)));
  return shown.ok() && *shown == keys.public_key;
}

}  // namespace

Result<AgentKeys> CreateAgentKeys(const std::string& directory, bool overwrite) {
  BITPILOT_RETURN_IF_ERROR(MakeFolderDurably(directory, 0700));
  const std::string secret_path = SecretPath(directory);
  if (!overwrite && Exists(secret_path)) {
    if (Result<AgentKeys> keys = PairOfSecret(directory);
        keys.ok() && !IsPublished(*keys, directory)) {
      BITPILOT_RETURN_IF_ERROR(
          WriteFileAtomically(PublicPath(directory), keys->public_key + "\n", 0644));
      return keys;
    }
  }
  if (!overwrite && (Exists(secret_path) || Exists(PublicPath(directory)))) {
    return InvalidArgument(directory +
                           ": there are keys already; boards know the agent by them. Use "
                           "--force to replace them, or another folder");
  }
  AgentKeys keys = GenerateCurveKeys();
  // Both are on the disk before either takes its place, the secret last: what fails leaves the old
  // secret, which alone counts.
  Result<StagedFile> secret = StagedFile::Write(secret_path, keys.secret_key + "\n", 0600);
  if (!secret.ok()) return secret.status();
  Result<StagedFile> shown = StagedFile::Write(PublicPath(directory), keys.public_key + "\n", 0644);
  if (!shown.ok()) return shown.status();
  BITPILOT_RETURN_IF_ERROR(shown->Commit());
  BITPILOT_RETURN_IF_ERROR(secret->Commit());
  return keys;
}

Result<AgentKeys> ReadAgentKeys(const std::string& directory) {
  const std::string secret_path = SecretPath(directory);
  if (!Exists(secret_path)) {
    return Status(StatusCode::kNotFound, secret_path +
                                             ": no agent keys here; make them with `bitpilot fleet "
                                             "keygen --keys " +
                                             ShellWord(directory) + "`");
  }
  return PairOfSecret(directory);
}

}  // namespace bitpilot
