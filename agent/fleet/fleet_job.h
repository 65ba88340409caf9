// FleetJob: one thing to do on a board (infer or measure), as the sequence of requests that it
// takes.
//
//   for each network: ArtifactQuery, then ArtifactChunk until the board has all of it
//   infer:   InferRequest with as many images as fit one frame, until all are done
//   measure: MeasureRequest, MeasureAccepted, and later MeasureResult
//
// Pure: no sockets, clocks or threads. ClientCore owns the session, the timeouts and the request
// ids; this class knows what to ask next and what an answer means. After a lost session it begins
// at the first query again: the board says what it still has, so nothing is sent twice for nothing,
// and a measurement keeps its measure_id, so it is never executed twice by one daemon.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"
#include "proto/framing.h"
#include "proto/validation.h"

namespace bitpilot {

// A network file, named by its content.
struct Artifact {
  std::string sha256;  // 32 bytes
  std::shared_ptr<const std::string> bytes;
};

struct InferInput {
  std::string pixels;           // images back to back
  std::size_t image_bytes = 0;  // of one image; divides pixels.size()
  int num_classes = 0;
};

// What the board said that it takes.
struct FrameLimits {
  std::size_t max_raw_bytes = 0;  // of one raw frame
  bool takes_raw_pixels = false;  // golden pixels may travel as one
  bool takes_longer_windows = false;
  bool takes_kernel_choices = false;
  std::uint64_t store_bytes = 0;          // of network files at a time; 0: not said
  std::size_t chunk_bytes = kChunkBytes;  // of one part of an upload: fewer on a slow line
};

struct MeasureInput {
  std::string measure_id;  // 16 bytes, unique for ever
  Tier tier = Tier::kStandard;
  bool per_operation = false;
  bool extended = false;
  bool energy = false;
  int window_doublings = 0;
  std::string golden_pixels;               // one image
  std::vector<std::string> golden_logits;  // parallel to the artifacts: float32, little-endian
  std::vector<int> num_operations;         // parallel to the artifacts
  // Of the board's class (kernels/runtime/kernel_choices.h, ToText()); empty: it uses its own. Left out where
  // the request would be too large with them.
  std::string kernel_choices = {};
};

using JobId = std::uint64_t;

struct JobRequest {
  JobId id = 0;
  std::vector<Artifact> artifacts;  // of an InferInput exactly one
  std::variant<InferInput, MeasureInput> input;
};

// What became of a job. Of a measurement `status` is OK even if the board could not measure:
// `measurement.status` says so.
struct JobResult {
  JobId id = 0;
  Status status;
  std::vector<std::vector<float>> logits;  // of an inference
  Measurement measurement;                 // of a measurement
};

class FleetJob {
 public:
  enum class Next {
    kSend,   // send NextRequest()
    kWait,   // the answer is still to come
    kRetry,  // the board is busy: send NextRequest() again in a moment
    kLost,   // the board no longer knows this session
    kFinished
  };

  explicit FleetJob(JobRequest request);

  // The request that the job waits to send. A job that the board cannot take at all (an image
  // larger than a frame, networks larger than its store) finishes instead.
  //
  // REQUIRES: !finished().
  Next NextRequest(const FrameLimits& limits, Message* request);

  // The answer to the last request: ArtifactStatus, InferResult, MeasureAccepted or Error; and
  // MeasureResult whenever it comes. Messages must have passed ValidateReply().
  Next OnReply(const Message& reply);

  // A MeasureResult of this job that did not pass ValidateReply().
  void OnInvalidResult(const Status& why);

  // The session ended while the job was under way. The job begins again unless that happened more
  // than kMaxRetries times without any progress; then it finishes as lost.
  void OnSessionLost(const std::string& reason);

  // The board is gone for good, or the agent closes.
  void Fail(const Status& status);

  JobId id() const { return request_.id; }
  bool finished() const { return stage_ == Stage::kFinished; }
  // True while an inference is under way: only the board knows how long it takes.
  bool inferring() const { return stage_ == Stage::kRun && !is_measure(); }
  // True while a part of a network is on its way.
  bool uploading() const { return stage_ == Stage::kUpload; }
  // True from MeasureAccepted on: the board must not be disturbed.
  bool measuring() const { return stage_ == Stage::kMeasuring; }
  // True once the board may know of the measurement: it may run, or have a result.
  bool was_asked_for() const { return was_asked_for_; }
  // How long the board says that the measurement takes.
  std::uint32_t eta_ms() const { return eta_ms_; }
  // How many jobs the board said that it does first.
  std::uint32_t queue_position() const { return queue_position_; }
  // Empty for an inference.
  const std::string& measure_id() const;
  // REQUIRES: finished().
  JobResult TakeResult();

  static constexpr int kMaxRetries = 2;

 private:
  enum class Stage { kQuery, kUpload, kRun, kMeasuring, kFinished };

  void WriteChunk(std::size_t most_bytes, Message* request) const;
  Next WriteInfer(std::size_t max_raw_bytes, Message* request);
  Next WriteMeasure(const FrameLimits& limits, Message* request);
  // Bytes of the files that the board must hold at a time.
  std::uint64_t FileBytes() const;

  Next OnArtifactStatus(const v1::ArtifactStatus& status);
  Next OnInferResult(const v1::InferResult& result, const std::string& raw);
  Next OnMeasureResult(const v1::MeasureResult& result);
  Next OnError(const Status& error);
  void FinishMeasure(MeasureStatus status, std::string detail);
  // The job asks for more than the board takes.
  Next RefuseAsTooLarge(const std::string& why);
  // Begins at the first query again.
  void Restart();

  const Artifact& artifact() const { return request_.artifacts[artifact_]; }
  bool is_measure() const { return std::holds_alternative<MeasureInput>(request_.input); }

  JobRequest request_;
  JobResult result_;
  Stage stage_ = Stage::kQuery;
  std::size_t artifact_ = 0;       // the one being queried or uploaded
  std::size_t have_bytes_ = 0;     // of it, on the board
  std::size_t best_progress_ = 0;  // most bytes and images the board ever had of this job
  std::size_t images_sent_ = 0;    // in the InferRequest under way
  std::uint32_t eta_ms_ = 0;
  std::uint32_t queue_position_ = 0;
  bool was_asked_for_ = false;
  int losses_ = 0;          // sessions lost since the last progress
  int refused_chunks_ = 0;  // since the last progress
};

}  // namespace bitpilot
