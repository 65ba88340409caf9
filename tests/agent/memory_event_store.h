// An EventStore in memory, of the other kind than SQLite: it cannot see whether the holder of a
// claim lives, and goes by its heartbeats. That the conformance suite and the study pass on both
// shows that nothing above the interface leans on SQLite.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/study/event_store.h"

namespace bitpilot {

// What the stores of one place share: the server, so to speak.
struct MemoryLog {
  // After this silence a claim is free.
  static constexpr std::int64_t kSilenceNs = 10'000'000'000;

  bool exists = false;
  std::vector<StoredEvent> events;
  std::vector<Run> runs;
  std::int64_t claim = 0;  // number of the claim that holds; 0: free
  std::int64_t num_claims = 0;
  std::int64_t last_beat_ns = 0;
  std::int64_t now_ns = 1;  // the clock, which only tests move
  Status read_failure;      // of whoever reads to the end; OK: none
};

class MemoryEventStore final : public EventStore {
 public:
  explicit MemoryEventStore(std::shared_ptr<MemoryLog> log) : log_(std::move(log)) {}
  ~MemoryEventStore() override;

  const std::string& name() const override { return name_; }
  Result<std::unique_ptr<EventSnapshot>> Snapshot() const override;
  Status Claim() override;
  Status BeginLog(const NewEvent& first) override;
  Status BeginRun() override;
  bool is_writing() const override { return run_id_.has_value(); }
  Status Append(std::span<const NewEvent> events) override;
  Status Heartbeat() override;
  Status End(const std::string& exit_reason) override;

  // As a process that is killed: nothing is ended, nothing freed.
  void Die();

 private:
  void AddRun();

  std::shared_ptr<MemoryLog> log_;
  std::string name_ = "memory:log";
  std::int64_t claim_ = 0;
  std::optional<std::int64_t> run_id_;
  bool lost_ = false;  // the claim, to another store
};

}  // namespace bitpilot
