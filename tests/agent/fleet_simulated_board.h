// SimulatedBoard: a board's side of the protocol in memory, for tests of ClientCore. It keeps the
// promises of fleet.md 4.7 (artifacts by content, one lease, at most one execution of a measure_id
// per boot, results kept until acknowledged) and computes answers from the request alone, so that a
// test can tell whose result it got.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/client_core.h"
#include "proto/framing.h"
#include "proto/validation.h"

namespace bitpilot {

class SimulatedBoard {
 public:
  static constexpr std::size_t kImageBytes = 4;
  static constexpr int kNumClasses = 2;

  // Replies to one message that arrives now.
  std::vector<Message> Receive(const Message& message, Instant now);
  // What the board sends by itself by now.
  std::vector<Message> Advance(Instant now);

  // Power cut and start: sessions, lease and the running measurement are gone; artifacts and
  // finished results were on disk.
  void Reboot();
  // The network files are lost, too.
  void WipeArtifacts() { artifacts_.clear(); }

  // Latency that a measurement of this network reports.
  static double LatencyOf(const std::string& sha256);
  // Logits of one image.
  static std::vector<float> LogitsOf(const std::string& pixels);

  bool is_leased(Instant now) const { return !lease_session_.empty() && now < lease_end_; }

  // What the latest measurement was asked for with.
  std::string last_kernel_choices;

  int num_boots() const { return boots_; }
  std::uint64_t num_chunk_bytes() const { return num_chunk_bytes_; }
  // Executions of a measure_id in one boot; a correct board and agent never reach 2.
  int max_executions() const { return max_executions_; }

  // Knobs.
  std::string name = "simulated";
  std::string isa = "avx2";
  std::string governor;
  std::string held_by;                    // another agent has reserved it
  bool is_drained = false;                // it ends its lease and grants none
  std::optional<v1::LeaseDenied> denial;  // what it answers every request for a lease with
  std::string reserved_by;                // said with a lease per job
  std::uint32_t queue_position = 0;       // of jobs of other agents that go before each measurement
  std::uint32_t eta_ms = 700;
  std::string refuse_measure;  // not empty: MeasureRequest is an error with this text
  StatusCode refuse_code = StatusCode::kUnsupported;
  std::string refuse_infer;  // the same of InferRequest, with refuse_infer_code
  StatusCode refuse_infer_code = StatusCode::kInternal;
  std::string refuse_chunk;                     // the same of ArtifactChunk, as of a full disk
  std::chrono::milliseconds progress_every{0};  // while it measures; 0: never
  std::chrono::milliseconds infer_takes{0};
  std::uint64_t store_bytes = 0;  // said in HelloAck
  std::string kernel_choices;     // that its measurements run by
  std::uint32_t protocol_minor = kProtocolMinor;
  v1::MeasureStatus next_status = v1::OK;  // of so many measurements, instead of numbers
  int num_next_status = 0;
  int damaged_files = 0;  // so many measurements find a file damaged

 private:
  struct Running {
    Message result;
    Instant done_at{0};
    Instant next_progress{0};
  };

  Message Reply(const Message& request) const;
  Message ErrorReply(const Message& request, StatusCode code, const std::string& detail) const;
  Message OnHello(const Message& message);
  Message OnLease(const Message& message, Instant now);
  Message OnQuery(const Message& message);
  Message OnChunk(const Message& message);
  Message OnInfer(const Message& message) const;
  Message OnMeasure(const Message& message, Instant now);
  Message StatusOf(const Message& request, const std::string& sha256) const;

  int boots_ = 1;
  int num_sessions_ = 0;
  // Request ids seen in each session: a doubled message acts once.
  std::map<std::string, std::set<std::uint64_t>> sessions_;
  std::uint64_t epoch_ = 0;
  std::string lease_session_;  // empty: nobody's
  Instant lease_end_{0};
  std::map<std::string, std::string> artifacts_;         // by hash: what is here of the file
  std::map<std::string, std::uint64_t> artifact_bytes_;  // by hash: how long the file is
  std::optional<Running> running_;
  std::optional<Running> inferring_;
  std::map<std::string, Message> finished_;                // by measure_id, until acknowledged
  std::map<std::pair<std::string, int>, int> executions_;  // by measure_id and boot
  int max_executions_ = 0;
  std::uint64_t num_chunk_bytes_ = 0;
};

}  // namespace bitpilot
