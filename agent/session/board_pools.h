// BoardPools: which boards of a fleet measure for each class of a search.
//
// Boards that are alike by what they say of themselves may still run networks differently: every board of a
// class of two or more therefore measures the same reference networks, interleaved, before it measures a
// candidate (agent/study/board_agreement.h has the rule). One that does not agree with the class is left
// out and named, and never ends the search; where it is the only one left, the class goes on with it. What
// was measured and decided is in the study (agent/study/calibration_event.h): a replay recomputes it, and
// a resume measures only boards that are new or came back as other ones.
//
// All of it is beside the search's budgets.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/fleet/class_boards.h"
#include "agent/results/search_observer.h"
#include "agent/session/class_pool.h"
#include "agent/study/journal.h"
#include "agent/study/search_config.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct BoardPoolTimes {
  // For the boards that a class lists to come, before those that are there are compared.
  std::chrono::milliseconds gather{5'000};
  // For answers of boards that are compared, before those that answered are.
  std::chrono::milliseconds patience{120'000};
  // Without a board that measures for the class, before one that was left out does.
  std::chrono::milliseconds last_resort{30'000};
  // Before a board that was lost while it measured is asked again.
  std::chrono::milliseconds retry{10'000};
  // Without a board of a class that was not judged yet, before that fails; nothing: for ever.
  std::optional<std::chrono::milliseconds> max_wait = std::nullopt;
};

class BoardPools {
 public:
  // boards: null in a verification. stop: polled while waiting. All references outlive the object.
  BoardPools(const SearchConfig& config, const Topology& topology, ClassBoards* boards,
             Journal& journal, SearchObserver& observer, std::function<bool()> stop,
             const BoardPoolTimes& times = {});
  // Gives up what is under way.
  ~BoardPools();
  BoardPools(const BoardPools&) = delete;
  BoardPools& operator=(const BoardPools&) = delete;

  // What the log holds of it next; then, where nothing more is logged and a class was not judged yet,
  // measures and judges its boards.
  //
  // Errors: the journal's; the boards' that say nothing of one board; kAborted if it was stopped.
  Status Settle();

  // The log goes on with a row of reference networks, or with what was decided by them.
  bool IsNext() const;
  // Takes that, and recomputes what was decided unless the log is trusted. REQUIRES: IsNext().
  //
  // Errors: kDataCorrupt.
  Status ReplayNext(bool trusts_log = false);

  // Looks after boards that came, went or were measured: starts what is due and judges what is complete.
  //
  // Errors: as Settle(). REQUIRES: the journal records.
  Status Step();
  // The same, and takes what boards answered. REQUIRES: of the boards, nobody else measures in parallel.
  Status StepAlone();
  bool is_measuring() const;
  // The answer is to one of its measurements.
  bool IsOwn(MeasureNumber number) const;
  // Stores one. Errors: as Settle(). REQUIRES: IsOwn(answer.number).
  Status Take(ClassAnswer answer);

  // The last decision of each class that has one, in the search's order.
  std::vector<CalibrationEvent> Decisions() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Measuring {
    std::string board;
    std::size_t networks = 0;
  };
  struct Class {
    ClassPool pool;
    std::map<MeasureNumber, Measuring> measuring = {};
    std::map<std::string, Clock::time_point> not_before = {};  // when lost boards are asked again
    std::optional<Clock::time_point> first_seen = {};   // since when a board waits to be judged
    std::optional<Clock::time_point> asked = {};        // when the last one was
    std::optional<Clock::time_point> alone_since = {};  // since when none measures for the class
    bool IsMeasuring(const std::string& board) const;
    // The board was lost, and is not to be asked yet.
    bool MustRest(const std::string& board) const;
  };
  // A board of a class that is there, with what it measured.
  struct Present {
    ClassMember member;
    std::vector<std::string> measurements = {};
    const ClassPool::Verdict* verdict = nullptr;
  };

  Status StepClass(Class& one);
  Status CheckIsNotAlone(const Class& one) const;
  Result<std::vector<Present>> PresentOf(Class& one);
  // Tells the fleet what the log says of boards that are as they were.
  void Reconcile(Class& one, const std::vector<Present>& boards);
  bool IsGathering(Class& one, const std::vector<Present>& boards) const;
  bool NeedsLastResort(Class& one, const std::vector<Present>& boards) const;
  Status Start(Class& one, const Present& board, const std::vector<Present>& boards);
  // How many networks boards of a class are measured with: as many as its first ones were, or as each of
  // `boards` takes that is there.
  std::size_t NumNetworks(const Class& one, const std::vector<Present>& boards) const;
  Status Judge(Class& one, const std::vector<Present>& boards);
  void Tell(const CalibrationEvent& event, const std::optional<CalibrationEvent>& before);
  Class* Find(const std::function<bool(const Class&)>& is_it);

  const SearchConfig& config_;
  const Topology topology_;
  ClassBoards* boards_;
  Journal& journal_;
  SearchObserver& observer_;
  const std::function<bool()> stop_;
  const BoardPoolTimes times_;
  std::list<Class> classes_;
  std::vector<BitAssignment> assignments_;
  std::vector<Network> networks_;  // of these; made when a board is first asked
};

}  // namespace bitpilot
