// This machine's name, as people and other programs are told it.
#pragma once

#include <string>

namespace bitpilot {

// What the system calls this machine; "unknown" if it does not say.
std::string HostName();

// The same as a name that lists take (authorized_agents, fleet.toml): every character but letters,
// digits, '-', '_' and '.' is a '-'. Never empty.
std::string HostNameAsListName();

}  // namespace bitpilot
