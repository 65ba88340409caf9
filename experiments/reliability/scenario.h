// Scenario: what a seed's run is like.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitpilot::simulation {

// Bugs that a simulator is worth having for. Each is planted where a core meets the world, and does
// what a core with that bug would do.
enum class PlantedBug {
  kNone,
  kBoardForgetsEpochs,           // its disk does not keep what StoreEpoch asked for
  kBoardGrantsAHeldLease,        // with the present epoch, to whoever asks
  kBoardRunsWithoutLease,        // a job that waited, although its lease is released
  kBoardRunsADuplicate,          // a measure id that runs or has finished, again
  kBoardRunsTwoJobsAtOnce,       // does not wait for the worker
  kBoardIgnoresPriorities,       // takes every agent for one of the same rank
  kBoardLosesStoredResults,      // what StoreResult asked for is not there after a restart
  kBoardMeasuresAnotherNetwork,  // and answers under the name of the one asked for
  kBoardSwapsNetworks,           // of one job: each has the other's numbers
  kBoardInventsFailures,         // answers OUT_OF_MEMORY, and the worker was well
  kBoardLosesAStoppedWorker,     // and waits for its end, until it is restarted
  kBoardStopsAtADrain,           // what it runs
  kBoardForgetsADrain,           // its disk does not keep what StoreDrain asked for
  kBoardHidesAChange,            // comes back as another one, and says that it is as before
  kAgentRecordsTwice,            // one result, as two observations
  kAgentAcknowledgesEarly,       // before the observation is on the disk
  kAgentLosesItsLastRecord,      // a commit that was not durable
  kAgentMixesUpJobs,             // writes a result to another job
  kAgentSwapsJobs,               // two jobs of one board: each is given the other's numbers
  kAgentInventsFailures,         // writes a crash where numbers came
  kAgentGivesUpAtOnce,           // takes the first failure for the candidate's
  kAgentInventsNumbers,          // for a measurement that no board made
  kAgentMixesClasses,            // takes every board for one of the class
  kAgentKeepsEveryJob,           // a queue without a bound
  kAgentIgnoresTime,             // never runs a timer
  kAgentForgetsALostBoard,       // never connects to it again
  kAgentKeepsIdleBoards,         // reserved, while it waits for boards that another one reserves
  kAgentCutsPowerForEver,
  kAgentCutsPowerOfDrainedBoards,  // takes what one says for no answer
  kAgentKeepsAReplacedLink,        // does not see that a board connected anew
  kAgentLosesNumbers,              // records a measurement as OK without them
  kBoardHidesNoise,                // calls a disturbed measurement OK
};
inline constexpr int kNumBugs = static_cast<int>(PlantedBug::kBoardHidesNoise);
std::string_view ToString(PlantedBug bug);

// Rates are permille of messages, or of boards and agents each second.
struct Faults {
  int dropped = 0;
  int doubled = 0;
  int delayed = 0;      // by up to 4 s; later ones overtake
  int broken = 0;       // links
  int partitioned = 0;  // links, for up to 40 s, one way or both
  int board_crashes = 0;
  int board_hangs = 0;  // for up to 60 s; every other one is a real hang, which only power ends
  int agent_crashes = 0;
  int agent_freezes = 0;
  int leaves = 0;           // boards taken off the fleet for a while
  int worker_failures = 0;  // of jobs: crash, hang, heat, wrong output
  int slow_boards = 0;      // per second: a board takes ten times as long for a while
  int full_disks = 0;       // of what a board's daemon writes
  int drains = 0;           // boards that an operator drains for a while
  int replaced =
      0;  // links of boards that connect out: the board alone sees the end, and connects anew
};

struct Scenario {
  std::uint64_t seed = 0;
  // How each agent wants its leases, and its rank among the agents of a board.
  struct Agent {
    bool reserves = false;
    int priority = 0;
  };
  std::vector<Agent> agents;
  int jobs_per_agent = 8;
  std::size_t max_jobs = 64;
  // For each board: its class and what its CPU says that it is. A board of class "x" that is not an
  // "x" must be left out.
  struct Board {
    std::string tag;
    std::string isa;
    bool is_old = false;  // its daemon knows reservations only
    // From behind a NAT: it connects to its agents (proto/bitpilot.proto, Announce).
    bool connects_out = false;
  };
  std::vector<Board> boards;
  // A board that comes back as another one: with other kernels, or another instruction set. Boards of
  // its first kind remain.
  struct Change {
    int board = 0;
    std::chrono::milliseconds at{0};
    bool is_of_kernels = false;
  };
  std::optional<Change> change;
  Faults faults;
  std::chrono::milliseconds faults_end{0};
  // Then the lab's engineer restarts all boards. Else nothing is restarted that is up: what does not
  // recover by itself is seen.
  bool restarts_all = false;
  // All jobs must have their results by then.
  std::chrono::milliseconds end{0};
  bool has_large_files = false;
};

Scenario ScenarioOf(std::uint64_t seed);

}  // namespace bitpilot::simulation
