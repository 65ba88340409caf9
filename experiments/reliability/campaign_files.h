// What lies in the folder of a kill campaign; for its own sources.
#pragma once

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiments/reliability/kill_campaign.h"

namespace bitpilot {

// What lies in a campaign's folder.
struct CampaignFiles {
  std::string folder;

  std::string DaemonKeys() const { return folder + "/board"; }
  std::string AgentKeysFolder() const { return folder + "/agent"; }
  std::string Study() const { return folder + "/study.db"; }
  std::string Ready() const { return folder + "/ready.json"; }
  std::string Rounds() const { return folder + "/rounds.jsonl"; }
  std::string AgentLog() const { return folder + "/agent.log"; }
  // One for each life of the daemon: 1, 2, ...
  std::string DaemonLog(int life) const {
    return folder + "/bitpilotd-" + std::to_string(life) + ".jsonl";
  }
};

// The objects of a file of one a line; the last one may be cut off.
inline std::vector<nlohmann::json> ReadLines(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (line.is_object()) lines.push_back(std::move(line));
  }
  return lines;
}

// What a program was killed at, in CampaignFiles::Rounds().
inline constexpr char kBeforeRecord[] = "before a result was recorded";
inline constexpr char kBeforeAcknowledgement[] = "before a record was acknowledged";

// What a campaign's study and logs say was lost or done twice.
//
// lives: of the daemon.
KillReport ReportOf(const CampaignFiles& files, int lives);

}  // namespace bitpilot
