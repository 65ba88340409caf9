// Oracle: sees everything that happens in a simulated world and says which law was broken first.
//
// It knows nothing of how the cores work; every law is checked from messages, executions and records
// alone. What these do not show, as the moment when a board ended a lease, is known within bounds, and
// a law is broken only when it is whichever way that was. The laws:
//
//   one lease an epoch       No board gives one epoch to two sessions, and no reservation to one while
//                            another one's is alive.
//   no execution without lease
//                            A job that waits starts, and no other, only for a user whose lease is
//                            alive, while nobody else has a reservation, and one at a time.
//   turns in order           Of the jobs of agents that share a board none starts before one of a higher
//                            priority, unless it was passed over too often; and none is passed over
//                            by more than kMostOvertakers that came later. A job is passed over when
//                            a later one starts, or a later reservation of another session is
//                            granted, while it could have started: its session has a lease, and
//                            nobody a reservation.
//   one execution a boot     A measure id is executed at most once between two starts of a board.
//   stored results last      A measure id whose result a board has stored is not executed there again
//                            until the result is dropped, whatever becomes of the daemon.
//   recorded once            (measure id, attempt) is recorded at most once, and so is the end of a job.
//   failures are explained   No job fails by itself. A failure of its worker is one that the world caused, in
//                            that execution; what was lost was lost to a fault of that board or of the way to
//                            it, since the attempt was asked for. It is the candidate's only when it
//                            failed as often as measure_retries.h says.
//   nothing acknowledged is lost
//                            When an acknowledgement reaches a board, the study has the attempt on
//                            its disk, and keeps it.
//   numbers are measured     What is recorded was executed, by that board, for that job, and each number
//                            is of the network under which it is written. A measurement is recorded as OK
//                            or NOISY with a number a network, and as that which its worker said.
//   classes stay apart       All numbers of a class in a study come from boards that were alike when they
//                            measured, whatever became of them since. One that is unlike is named.
//   drained boards rest      A drained board grants no lease, takes no job, and runs only what it had taken
//                            before, to its end. Who says that a board is drained does not cut its power.
//   bounded queues           Jobs in the agent's core, messages on the way, and a board's sessions, jobs and
//                            kept results: bounded.
//   bounded power cycles     At most max_power_cycles a board, from when it joined an agent's fleet.
//   progress                 Once faults have stopped, every job gets its result in time.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bitpilot::simulation {

using Time = std::chrono::milliseconds;

struct Execution {
  std::string measure_id;
  int board = 0;
  int boot = 0;
  std::vector<std::string> networks;
  std::string kind;         // what the board was like: boards of one kind are alike
  std::string status = {};  // "OK" or "NOISY", as its worker said; empty of what gave no numbers
};

// A number that a board gave: which execution it is of, and of which of its networks or images.
struct Number {
  std::uint64_t execution = 0;
  std::size_t position = 0;
};

class Oracle {
 public:
  static constexpr int kMostOvertakers = 16;

  // The law that was broken first and how; nothing as long as all hold.
  const std::optional<std::string>& violation() const { return violation_; }
  void Break(const std::string& law, const std::string& how);

  // ---- Boards
  void OnBoardStarted(int board, int boot, const std::string& kind);
  struct Grant {
    std::string session;
    std::string user;
    std::uint64_t epoch = 0;
    bool is_reservation = false;
    Time ttl{0};
  };
  // A message of a session has reached the board, which has done nothing about it yet. Returns
  // false of a late one or a copy, which the board must refuse.
  bool OnSessionMessage(int board, const std::string& session, std::uint64_t request_id, Time now);
  void OnLeaseAsked(int board, const std::string& session, int priority, bool is_reservation);
  void OnLeaseGranted(int board, const Grant& grant, Time now);
  // The lease that a session asked for could not be stored: it has none, not its old one either.
  void OnLeaseFailed(int board, const std::string& session, Time now);
  void OnLeaseReleased(int board, const std::string& session);
  // A job waits from now on, or waits for another session of its user than before. job: a
  // measure id, or any name of an inference.
  void OnAccepted(int board, const std::string& session, const std::string& user,
                  const std::string& job, Time now);
  // It does not wait any more.
  void OnAnswered(int board, const std::string& job) { boards_[board].waiting.erase(job); }
  void OnResultStored(int board, const std::string& measure_id) {
    stored_.insert({board, measure_id});
  }
  void OnResultDropped(int board, const std::string& measure_id) {
    stored_.erase({board, measure_id});
  }
  // Returns the number by which the execution is known.
  std::uint64_t OnExecutionStarted(int board, const std::string& session, Execution execution,
                                   bool is_measurement, Time now);
  // Its worker gave numbers of this status, "OK" or "NOISY".
  void OnNumbers(std::uint64_t execution, const std::string& status) {
    executions_.at(execution).status = status;
  }
  void OnExecutionEnded(int board, Time now);
  void OnAcknowledged(int board, const std::string& measure_id);
  // What it is told by an operator is on its disk.
  void OnDrained(int board, bool is_drained, Time now);

  // ---- Faults, of which the world tells
  // The worker of an execution fails so: "CRASH", "TIMED_OUT", "WRONG_OUTPUT", ...
  void OnWorkerFault(std::uint64_t execution, const std::string& status, Time now);
  // Until then messages between them may be lost or late, or one of them is not there. kAll: everyone.
  static constexpr int kAll = -1;
  void OnDisturbed(int agent, int board, Time until);

  // ---- Agents
  // What the study has on its disk. job: the study's own name of it.
  struct Record {
    int agent = 0;
    int job = 0;
    int attempt = 0;
    std::string job_id;  // of a measurement: what the ids of its attempts derive from
    std::string measure_id;
    bool is_end = false;
    // What came of it: a measurement's status, or kNoAnswer.
    std::string status;
    bool is_boards_error = false;  // of kNoAnswer: it says that no board could do it
    Time asked{0};                 // since then the agent waited for this attempt
    std::vector<Number> numbers;   // of a measurement, parallel to the networks; none if it failed
    std::vector<Number> images;    // of an inference
    int board = -1;
    std::string class_tag;
    std::vector<std::string> networks;
  };
  static constexpr char kNoAnswer[] = "no answer";
  void OnRecorded(const Record& record);
  // Nobody waits for this job's results any more.
  void OnDropped(const std::string& measure_id) { not_recorded_.insert(measure_id); }
  void OnRecordLost(int agent, const std::string& measure_id);
  void OnBoardAdded(int agent, int board);
  // The agent says whether the board is drained.
  void OnToldDrained(int agent, int board, bool is_drained);
  void OnPowerCut(int agent, int board, int max_power_cycles);
  void OnQueue(const std::string& what, std::size_t size, std::size_t limit);

  // Of the power cycles that an agent may order, whether some are left.
  bool MayCutPower(int agent, int board, int max_power_cycles) const;

  // How near it came to a bound, of the queues by what holds them.
  struct Peak {
    std::size_t size = 0;
    std::size_t limit = 0;
  };
  const std::map<std::string, Peak>& peaks() const { return peaks_; }
  // Of the questions whether a lease is alive, those to which the oracle knows no answer.
  std::size_t lease_questions() const { return lease_questions_; }
  std::size_t open_lease_questions() const { return open_lease_questions_; }

  // How often one job at most was passed over by jobs that came later, while it could have begun.
  int most_overtakers() const { return most_overtakers_; }
  int num_executions() const { return static_cast<int>(executions_.size()); }

 private:
  struct Lease {
    std::string user;
    bool is_reservation = false;
    Time ttl{0};
    // A board may renew a lease while the holder's job runs. So much is known of its end:
    Time certain_until{0};
    Time possible_until{0};
  };
  struct Waiting {
    std::string session;
    std::string user;
    int priority = 0;
    std::uint64_t arrival = 0;
    bool has_lease = false;  // Its session, for sure, unless it gives it back.
    int overtaken = 0;       // For sure.
    int overtaken_at_most = 0;
  };
  // What goes before all others now. A reservation's place in the queue may be lost and taken anew.
  struct Next {
    Waiting waiting;
    std::uint64_t latest_arrival = 0;
    bool is_reservation = false;
  };
  struct BoardState {
    int boot = 0;
    std::map<std::uint64_t, std::string> epochs;  // ever granted: to which session
    std::map<std::string, Lease> leases;          // by session
    std::map<std::string, std::string> users;     // of sessions that had one
    std::map<std::string, int> priorities;        // of sessions that asked for one
    std::map<std::string, Waiting> waiting;       // jobs
    // Sessions that wait for a reservation: when they asked first.
    std::map<std::string, std::uint64_t> applicants;
    std::map<std::string, std::uint64_t> last_request_ids;
    std::set<std::string> executed;  // measure ids of this boot
    std::optional<std::string> running_session;
    std::string running_job;
    std::string kind;
    bool is_drained = false;
    std::set<std::string> taken_before_drain;  // jobs that it still may begin
  };
  void CheckNumbers(const Record& record);
  void CheckFailure(const Record& record);
  // The board or the way to it had a fault while the attempt was waited for.
  bool WasDisturbed(const Record& record) const;
  bool HadAnyFault(const Record& record) const;
  // Of the job's executions, those that failed so by the world's will.
  int FaultyExecutions(const Record& record) const;
  void CheckLease(int board, const std::string& session, Time now);
  void CheckTurn(int board, const std::string& job, Time now);
  void PassOver(int board, const Next& next, Time now);
  void PassOverBy(int board, const std::string& applicant, Time now);
  static bool IsHeldForSure(const BoardState& state, const std::string& session, Time now);
  static bool MayBeHeld(const BoardState& state, const std::string& session, Time now);

  std::map<int, BoardState> boards_;
  std::uint64_t num_arrivals_ = 0;
  int most_overtakers_ = 0;
  std::set<std::pair<int, std::string>> stored_;  // results, by board
  std::vector<Execution> executions_;
  std::set<std::pair<std::string, int>> recorded_;  // (measure id, attempt)
  std::set<std::pair<int, int>> ended_;             // (agent, job)
  std::set<std::string> durable_;                   // measure ids in studies
  std::set<std::string> acknowledged_;
  std::set<std::string> not_recorded_;                          // that no study ever records
  std::map<std::pair<int, std::string>, std::string> classes_;  // (agent, class): kind
  std::map<std::pair<int, int>, int> power_cuts_;               // (agent, board), of this life
  std::set<std::pair<int, int>> told_drained_;                  // (agent, board)
  std::map<std::pair<int, int>, Time> disturbed_until_;         // (agent, board)
  std::map<int, Time> drained_at_;                              // boards: or undrained, the latest
  std::map<int, Time> worker_faults_;                           // by board: the latest
  std::map<std::string, std::vector<std::pair<int, std::string>>>
      faults_of_;  // by measure id: (board, status)
  std::map<std::string, Peak> peaks_;
  std::size_t lease_questions_ = 0;
  std::size_t open_lease_questions_ = 0;
  std::optional<std::string> violation_;
};

// The ids that a record's job may have had by then.
std::set<std::string> AttemptsOf(const Oracle::Record& record);

}  // namespace bitpilot::simulation
