// Which agent a board expects where it connects to (`serve --connect`).
//
// More than one of the list may do: a second agent, an administrator, the next key of the same agent.
// The board may be where nobody can reach it, so it goes on with the one whom it expected before, also
// after a restart: that one's key is on its disk.
#pragma once

#include <optional>
#include <string>

#include "device_daemon/server/keys.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct ExpectedAgent {
  std::string public_key;
  std::string note;  // For the log, if others would do as well; or else empty.
};

// Among those whose keys are good today (WhyNotToday()): the one listed as `name`; or, of an empty
// name, the only one that may measure; of several, the one with the key `before`.
//
// Errors: kNotFound (none is listed), kInvalidArgument (several, and `before` is none of them) say what
// to do; kPermissionDenied: no key is good today, which another day or a set clock may change.
Result<ExpectedAgent> ChooseExpectedAgent(const AuthorizedAgents& agents, const std::string& name,
                                          std::optional<Day> today, const std::string& before);

// The key that WriteExpectedAgent() wrote last; empty if there is none.
std::string ReadExpectedAgent(const std::string& store_folder);
// Durable once it returns OK. Errors: as WriteFileAtomically().
Status WriteExpectedAgent(const std::string& store_folder, const std::string& public_key);

}  // namespace bitpilot
