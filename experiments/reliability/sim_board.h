// SimBoard: a board of the simulated world: the real DaemonCore, with a disk, a worker and power that
// are simulated.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device_daemon/core/daemon_core.h"
#include "experiments/reliability/scenario.h"

namespace bitpilot::simulation {

class World;

class SimBoard {
 public:
  SimBoard(World& world, int index, const Scenario::Board& description);
  ~SimBoard();
  SimBoard(const SimBoard&) = delete;
  SimBoard& operator=(const SimBoard&) = delete;

  bool is_up() const { return core_ != nullptr; }
  int boot() const { return boot_; }

  void Start();
  // Power or daemon gone: sessions, lease and the running job with it. The disk stays, but for what a
  // power cut may do to a file.
  void Crash();
  // The daemon's main loop stands still; what arrives is handled later. A hang without an end waits
  // for power.
  void Hang(std::optional<std::chrono::milliseconds> time);
  void SlowDown(std::chrono::milliseconds time);
  void CyclePower();

  void Receive(const std::string& connection, const std::string& user, Message message);

  // What this board's kernels give for a network: the number of the execution is in it, so that the
  // oracle knows whose it is.
  static double LatencyOf(std::uint64_t execution) { return 1e6 + static_cast<double>(execution); }
  static std::uint64_t ExecutionOf(double latency_ns) {
    return static_cast<std::uint64_t>(latency_ns - 1e6 + 0.5);
  }

 private:
  struct File {
    std::uint64_t have_bytes = 0;
    std::uint64_t total_bytes = 0;
    bool is_complete = false;
  };
  struct Worker {
    daemon::JobId job = 0;
    Message request;
    std::uint64_t number = 0;  // of the worker process
    std::uint64_t execution = 0;
  };

  void Feed(const daemon::Event& event);
  void ArmTimer();
  bool IsHanging() const;

  // One overload an action.
  void Do(const daemon::Send& send);
  void Do(const daemon::StoreEpoch& store);
  void Do(const daemon::PrepareArtifact& prepare);
  void Do(const daemon::AppendArtifact& append);
  void Do(const daemon::StartJob& start);
  void Do(const daemon::StopJob& stop);
  void Do(const daemon::DropArtifact& drop) { files_.erase(drop.sha256); }
  void Do(const daemon::StoreResult& store);
  void Do(const daemon::DropResult& drop);
  template <typename Other>
  void Do(const Other&) {}  // for people

  void RunWorker();
  void ReportProgress(std::uint64_t worker, std::chrono::milliseconds end);
  void FinishWorker(std::uint64_t worker);
  void EndWorker();
  // Tells the oracle of jobs that the core took or answered in this step.
  void WatchQueue(const daemon::MessageReceived& event, const std::vector<daemon::Action>& actions);
  // event: the message that the core handles; null if it is another event.
  void WatchAnswer(const daemon::MessageReceived* event, const daemon::Send& send);
  Message AnswerOf(const Worker& worker, v1::MeasureStatus status) const;
  // What a board with the planted bug does with a request that its core just answered.
  void PlayBugs(const Message& request, const std::vector<daemon::Action>& actions);
  void RunAgainstTheRules(const Message& request, bool is_measurement);

  World& world_;
  const int index_;
  const Scenario::Board description_;
  std::unique_ptr<daemon::DaemonCore> core_;  // null while it is down
  int boot_ = 0;
  std::chrono::milliseconds hangs_until_{0};
  std::chrono::milliseconds slow_until_{0};
  std::optional<std::chrono::milliseconds> timer_at_;
  std::optional<Worker> worker_;
  std::uint64_t num_workers_ = 0;
  std::string asking_session_;           // whose message the core handles
  std::optional<Message> last_measure_;  // that was asked for; for planted bugs

  // The disk.
  std::uint64_t epoch_ = 0;
  std::map<std::string, File> files_;
  std::map<std::string, v1::KeptResult> results_;  // by measure id
};

}  // namespace bitpilot::simulation
