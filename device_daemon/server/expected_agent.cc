#include "device_daemon/server/expected_agent.h"

#include <algorithm>
#include <vector>

#include "kernels/base/file_io.h"
#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

std::string ExpectedAgentPath(const std::string& store_folder) {
  return store_folder + "/expected_agent";
}

}  // namespace

Result<ExpectedAgent> ChooseExpectedAgent(const AuthorizedAgents& agents, const std::string& name,
                                          std::optional<Day> today, const std::string& before) {
  std::vector<std::string> keys;
  std::string refused;
  for (const auto& [key, agent] : agents) {
    if (name.empty() ? agent.role == v1::OBSERVER : agent.name != name) continue;
    const std::string why_not = WhyNotToday(agent, today);
    if (why_not.empty()) keys.push_back(key);
    if (!why_not.empty()) refused = why_not;
  }
  if (keys.size() == 1) return ExpectedAgent{keys.front(), ""};
  if (keys.empty() && !refused.empty()) return Status(StatusCode::kPermissionDenied, refused);
  const std::string asked = name.empty() ? "an agent that may measure" : "an agent " + Quoted(name);
  if (keys.empty()) {
    return Status(StatusCode::kNotFound, "--connect needs " + asked +
                                             " in authorized_agents, whose key it expects there; "
                                             "none is listed");
  }
  const std::string several = "--connect needs one agent whose key it expects there; " +
                              std::to_string(keys.size()) + " are listed";
  const std::string remedy =
      name.empty() ? "name one with --agent NAME" : "leave one line of " + Quoted(name);
  if (std::find(keys.begin(), keys.end(), before) == keys.end()) {
    return InvalidArgument(several + ": " + remedy);
  }
  return ExpectedAgent{before, several + ", and it goes on with " + Quoted(agents.at(before).name) +
                                   " (" + before + "), as before; to change that, " + remedy};
}

std::string ReadExpectedAgent(const std::string& store_folder) {
  const Result<std::string> text = ReadFile(ExpectedAgentPath(store_folder));
  if (!text.ok()) return {};
  const std::string key = text->substr(0, text->find('\n'));
  return IsCurveKey(key) ? key : "";
}

Status WriteExpectedAgent(const std::string& store_folder, const std::string& public_key) {
  return WriteFileAtomically(ExpectedAgentPath(store_folder), public_key + "\n");
}

}  // namespace bitpilot
