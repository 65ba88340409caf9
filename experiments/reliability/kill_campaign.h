// Kill campaign: agent, daemon and worker are killed (SIGKILL) over and over while a study is made of
// what they measure; then study and logs are asked what was lost or done twice. A third of the kills of agent
// and daemon are at random, the others are aimed at the moment between a measurement's end and its
// acknowledgement, when most can be lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

struct KillOptions {
  std::string folder;     // of all that is written; a campaign that was stopped goes on there
  std::string bitpilotd;  // path of the program
  std::string agent;  // path of a program that is the agent when it is called with "agent FOLDER"
  std::string cost_table;  // path: the board's numbers
  int rounds = 20;         // of all calls together
  std::uint64_t seed = 1;
};

struct KillReport {
  int agents = 0;  // killed, of this call and earlier ones
  int daemons = 0;
  int workers = 0;
  // Of them, agents and daemons that died while a result with numbers was on its way: before it was in the
  // study, and after that, but before the daemon was told.
  int before_record = 0;
  int before_acknowledgement = 0;
  std::size_t executed = 0;  // measurements that a daemon finished
  // Of them, under an id under which one had failed in the same life of the daemon, its worker killed,
  // which the daemon was told to forget. To execute again what it knows a result of is a violation.
  std::size_t repeated = 0;
  std::size_t acknowledged = 0;  // of them, those that a daemon was told are recorded
  std::size_t recorded = 0;      // rows of the study
  std::vector<std::string> violations;
};

// say: told of every kill.
//
// Errors: kUnavailable if a program does not start or nothing is measured for two minutes; the message
// names its log.
Result<KillReport> RunKillCampaign(const KillOptions& options,
                                   const std::function<void(const std::string&)>& say);

// The agent of a campaign in `folder`; for the program that KillOptions::agent names. Never succeeds.
Status RunCampaignAgent(const std::string& folder);

}  // namespace bitpilot
