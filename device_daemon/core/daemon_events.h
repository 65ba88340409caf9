// Everything that can happen to the daemon, and everything that it can do.
//
// DaemonCore::Step() maps the one to the other; device_daemon/server/server.cc carries out the
// actions. Ids, hashes and routing ids are raw bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
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

// The sender of a message: where to answer, and who it proved to be.
struct Peer {
  std::string routing_id;
  std::string user_id;
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

// Who is authorized from now on. Everybody else loses sessions, lease, and jobs, running ones too,
// and gets no result, not even of measurements that finished before.
struct AgentsReplaced {
  std::set<std::string> user_ids;
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

struct TimePassed {};

using Event =
    std::variant<MessageReceived, FramesRefused, EpochStored, ArtifactAnswered, AgentsReplaced,
                 WorkerProgressed, WorkerAnswered, WorkerFailed, TimePassed>;

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

struct StartJob {  // At most one job runs at a time.
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

struct Log {
  std::string text;
};

using Action = std::variant<Send, StoreEpoch, PrepareArtifact, AppendArtifact, StartJob, StopJob,
                            DropArtifact, Log>;

}  // namespace bitpilot::daemon
