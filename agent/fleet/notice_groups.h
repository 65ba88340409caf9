// NoticeGroups: what is to be told of many boards at once, in one line: forty boards that another agent holds
// are one note for people, and forty for a log.
//
// What boards have in common is a *group*, a few words that are the same for all of them ("held"). The first
// notice of a group waits for others of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "agent/fleet/client_core.h"
#include "agent/fleet/fleet_events.h"

namespace bitpilot {

class NoticeGroups {
 public:
  // How long a group waits for more, from its first notice on.
  static constexpr std::chrono::milliseconds kGather{1'000};
  // So many of a group are told one by one; more are one line, which names the first of them.
  static constexpr std::size_t kToldSingly = 2;

  // `summary` empty: `texts` are told one by one. Otherwise it is told to people, and `texts`, which has all
  // that it stands for, to a log.
  struct Told {
    std::string summary;
    std::vector<std::string> texts;
  };

  void Add(fleet::Notice notice, Instant now);

  // What is to be told now, in the order in which it came; with `all`, also what could wait for more.
  std::vector<Told> Take(Instant now, bool all = false);

  void Clear() { groups_.clear(); }

 private:
  struct Group {
    std::string name;
    Instant since{0};
    std::vector<fleet::Notice> notices;
  };
  static Told TellOf(std::vector<fleet::Notice> notices);

  std::vector<Group> groups_;  // a notice without a group is one of its own
};

}  // namespace bitpilot
