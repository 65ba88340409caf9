// Everything that can happen to the daemon, and everything that it can do.
//
// DaemonCore::Step() maps the one to the other; device_daemon/server/server.cc carries out the
// actions. Ids, hashes and routing ids are raw bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "device_daemon/core/artifact_store.h"
#include "kernels/base/status.h"
#include "proto/framing.h"

// A namespace of its own: the agent's core has events of the same names.
namespace bitpilot::daemon {

// Milliseconds of any monotonic clock.
using Milliseconds = std::chrono::milliseconds;

// The sender of a message: where to answer, who it proved to be, and what it may do.
struct Peer {
  std::string routing_id;
  std::string user_id;
  v1::Role role = v1::AGENT;
};

using JobId = std::uint64_t;

// A request that concerns the store, and where its answer goes.
struct ArtifactRequest {
  Peer peer;
  std::string session_id;
  std::uint64_t request_id = 0;
  std::string sha256;
};

// ----------------------------------------------------------------------------------------------------
// events

struct MessageReceived {
  Peer peer;
  Message message;
  // The networks that an InferRequest or MeasureRequest names and that the store does not have.
  std::vector<std::string> missing_sha256;
};

struct FramesRefused {  // What came is no message.
  Peer peer;
  Status reason;
};

struct EpochStored {  // Answers StoreEpoch.
  std::uint64_t epoch = 0;
  Status status;
};

struct ArtifactAnswered {  // Answers PrepareArtifact and AppendArtifact.
  ArtifactRequest request;
  Result<ArtifactState> state;
};

// Who is authorized from now on, by user id. Everybody else loses sessions, lease, and jobs, running
// ones too, and gets no result, not even of measurements that finished before. An OBSERVER loses all
// but the sessions.
struct AgentsReplaced {
  std::map<std::string, v1::Role> roles;
};

struct WorkerProgressed {
  JobId job = 0;
  std::string phase;
  std::uint32_t windows_done = 0;
  Milliseconds remaining{0};  // what the job still takes at most; 0 while nobody knows
  Milliseconds silence{0};    // the next sign of life may take so long; 0: seconds
  // Another daemon of the machine measures; never set for what a worker says. The phase is
  // kTurnPhase.
  bool waits_for_turn = false;
};

struct WorkerAnswered {
  JobId job = 0;
  Message reply;
};

struct WorkerFailed {  // The worker process is gone; the job has no answer.
  JobId job = 0;
  v1::MeasureStatus status = v1::CRASH;
  std::string detail;
};

struct ResultStored {  // Answers StoreResult.
  std::string measure_id;
  Status status;
};

struct DrainStored {  // Answers StoreDrain.
  Status status;
};

// A MeasureResult could not be sent now: its peer does not read.
struct ResultNotSent {
  std::string measure_id;
};

struct TimePassed {};

using Event = std::variant<MessageReceived, FramesRefused, EpochStored, ArtifactAnswered,
                           AgentsReplaced, WorkerProgressed, WorkerAnswered, WorkerFailed,
                           ResultStored, DrainStored, ResultNotSent, TimePassed>;

// ---------------------------------------------------------------------------------------------------
// actions

struct Send {
  std::string routing_id;
  Message message;
};

struct StoreEpoch {  // Must be on the disk before EpochStored says so.
  std::uint64_t epoch = 0;
};

struct PrepareArtifact {
  ArtifactRequest request;
  std::uint64_t total_bytes = 0;
};

struct AppendArtifact {
  ArtifactRequest request;
  std::uint64_t offset = 0;
  std::string bytes;
};

// At most one job runs at a time. The request's lease_epoch says in which lease the worker shall
// count it: leases PER_JOB that are held side by side are one to it.
struct StartJob {
  JobId job = 0;
  Message request;
};

struct StopJob {  // End the worker. WorkerFailed follows; an answer that comes after this is
                  // dropped.
  JobId job = 0;
};

struct DropArtifact {  // Its file is damaged: it must be uploaded again.
  std::string sha256;
};

// A result that no agent acknowledged soon: it must outlive the daemon.
struct StoreResult {
  std::string measure_id;
  v1::KeptResult kept;
};

struct DropResult {  // It was acknowledged, is too old, or made room.
  std::string measure_id;
};

// Whether the board is drained, for the next start of the daemon. DrainStored follows.
struct StoreDrain {
  bool drain = false;
  std::string reason;
};

// A line of the log. event and fields are for programs that read it (`--log-format json`).
struct Log {
  std::string text;
  std::string event;
  std::map<std::string, std::string> fields;
  bool is_detail = false;  // of no interest to people: not in a log of text
};

using Action = std::variant<Send, StoreEpoch, PrepareArtifact, AppendArtifact, StartJob, StopJob,
                            DropArtifact, StoreResult, DropResult, StoreDrain, Log>;

}  // namespace bitpilot::daemon
