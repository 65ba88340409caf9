// Turn order: what of all that waits for the board begins next.
//
//   priority    the higher one goes first
//   fairness    of one priority, whose user had the board for less time; who was idle meanwhile has
//               saved nothing up (start-time fair queueing: Goyal, Vin, Cheng, IEEE/ACM ToN 5(5) 1997)
//   arrival     of one user, who came first
//   starvation  what kMaxOvertaken later arrivals have gone before goes before all others
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace bitpilot::daemon {

// The time that users had the board.
class FairShare {
 public:
  // Something of the user's waits from now on, after nothing of its waited or ran.
  void Arrive(const std::string& user_id);
  // Something of the user's begins.
  void Begin(const std::string& user_id);
  // It had the board for so long.
  void Charge(const std::string& user_id, std::chrono::milliseconds used);
  // Comparable between users; the least goes first.
  std::chrono::milliseconds TagOf(const std::string& user_id) const;
  // Forgets everybody else.
  void KeepUsers(const std::set<std::string>& user_ids);

 private:
  std::chrono::milliseconds virtual_time_{0};
  std::map<std::string, std::chrono::milliseconds> tags_;
};

struct Waiter {
  static constexpr int kMaxOvertaken = 16;

  std::uint64_t arrival = 0;  // Another one for everything that ever waited; grows.
  std::string user_id;
  int priority = 0;
  // So many that arrived later went before it when it could have begun: jobs that began, and
  // reservations that other sessions were given.
  int overtaken = 0;
  bool may_begin = true;  // False: another's reservation, or no lease, is in its way.
};

bool GoesBefore(const Waiter& one, const Waiter& other, const FairShare& share);

}  // namespace bitpilot::daemon
