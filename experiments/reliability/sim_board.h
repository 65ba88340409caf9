// SimBoard: a board of the simulated world: the real DaemonCore, with a disk, a worker and power that
// are simulated.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device_daemon/core/daemon_core.h"
#include "experiments/reliability/oracle.h"
#include "experiments/reliability/scenario.h"

namespace bitpilot::simulation {

class World;

class SimBoard {
 public:
  static constexpr char kOperator[] = "operator";  // its route and user

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
  // The hang that only power ends, ends by itself.
  void ComeToItself();
  bool IsHanging() const;
  bool is_drained() const { return drain_reason_.has_value(); }
  // REQUIRES: is_up().
  Message Announcement() const { return core_->Announcement(); }
  bool hangs_for_good() const { return is_up() && hangs_for_good_; }
  // Power gone, and what comes back is another board, or has other kernels.
  void Change(bool is_of_kernels);
  // An operator says so, as soon as the daemon hears it.
  void SetDrained(bool is_drained);

  void Receive(const std::string& connection, const std::string& user, Message message);

  // What this board's kernels give for a network or an image: which execution it is of is in it, and of
  // which of its networks or images, so that the oracle knows whose it is.
  static double LatencyOf(const Number& number) { return 1e6 + static_cast<double>(Code(number)); }
  static Number NumberOf(double latency_ns) {
    return Decode(static_cast<std::uint64_t>(latency_ns - 1e6 + 0.5));
  }
  // Exact in a float below 2^24.
  static float LogitOf(const Number& number) { return static_cast<float>(Code(number)); }
  static Number NumberOfLogit(float logit) { return Decode(static_cast<std::uint64_t>(logit)); }

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

  static constexpr std::uint64_t kMostPositions = 8;
  static std::uint64_t Code(const Number& number) {
    return number.execution * kMostPositions + number.position;
  }
  static Number Decode(std::uint64_t code) {
    return {code / kMostPositions, static_cast<std::size_t>(code % kMostPositions)};
  }

  void Feed(const daemon::Event& event);
  void ArmTimer();
  // What the daemon does once it goes on.
  void AfterHang(std::function<void()> what);
  bool DiskIsFull() const;

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
  void Do(const daemon::StoreDrain& store);
  template <typename Other>
  void Do(const Other&) {}  // for people

  void RunWorker();
  void ReportProgress(std::uint64_t worker, std::chrono::milliseconds end);
  void FinishWorker(std::uint64_t worker);
  void EndWorker();
  std::string Kind() const { return isa_ + " with kernels " + kernels_; }
  // The world makes the running job fail so.
  void FailWorker(const std::string& status);
  void Order();
  void OperatorSays(const Message& message);
  // Tells the oracle how full the daemon is.
  void WatchBounds();
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
  bool hangs_for_good_ = false;
  std::vector<std::function<void()>> held_up_;  // until then
  std::chrono::milliseconds slow_until_{0};
  std::optional<std::chrono::milliseconds> timer_at_;
  std::optional<Worker> worker_;
  std::uint64_t num_workers_ = 0;
  std::string asking_session_;           // whose message the core handles
  std::optional<Message> last_measure_;  // that was asked for; for planted bugs

  std::string operator_session_;
  bool is_to_be_drained_ = false;

  std::string isa_;
  std::string kernels_ = "1";

  // The disk.
  std::uint64_t epoch_ = 0;
  std::map<std::string, File> files_;
  std::map<std::string, v1::KeptResult> results_;  // by measure id
  std::optional<std::string> drain_reason_;
};

}  // namespace bitpilot::simulation
