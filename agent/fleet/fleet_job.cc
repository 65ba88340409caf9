#include "agent/fleet/fleet_job.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/fleet/wire_conversion.h"
#include "kernels/base/check.h"
#include "proto/crc32.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

constexpr int kMaxRefusedChunks = 3;
// An InferRequest holds the board's worker: keep one short enough that its answer comes within
// seconds on slow boards, too.
constexpr std::size_t kMaxImagesPerRequest = 256;

// What a refused request says about the candidate, or the board.
MeasureStatus StatusOfError(StatusCode code, bool while_running) {
  if (code == StatusCode::kUnsupported) return MeasureStatus::kUnsupported;
  if (code == StatusCode::kResourceExhausted && while_running) return MeasureStatus::kOutOfMemory;
  // It cannot keep the file: its store is full or broken.
  const bool is_boards = code == StatusCode::kResourceExhausted ||
                         code == StatusCode::kDataCorrupt || code == StatusCode::kInternal;
  if (is_boards && !while_running) return MeasureStatus::kProtocolError;
  return MeasureStatus::kRejected;
}

}  // namespace

FleetJob::FleetJob(JobRequest request) : request_(std::move(request)) {
  BITPILOT_CHECK(!request_.artifacts.empty());
  result_.id = request_.id;
}

FleetJob::Next FleetJob::NextRequest(const FrameLimits& limits, Message* request) {
  BITPILOT_CHECK(!finished());
  if (limits.store_bytes > 0 && FileBytes() > limits.store_bytes) {
    return RefuseAsTooLarge("the networks of one request have " + std::to_string(FileBytes()) +
                            " bytes, the board's store takes " +
                            std::to_string(limits.store_bytes) +
                            ": start its bitpilotd with a larger --store-mib");
  }
  switch (stage_) {
    case Stage::kQuery: {
      v1::ArtifactQuery* query = request->envelope.mutable_artifact_query();
      query->set_sha256(artifact().sha256);
      query->set_total_bytes(artifact().bytes->size());
      return Next::kSend;
    }
    case Stage::kUpload:
      WriteChunk(limits.chunk_bytes, request);
      return Next::kSend;
    default:
      break;
  }
  return is_measure() ? WriteMeasure(limits, request) : WriteInfer(limits.max_raw_bytes, request);
}

std::uint64_t FleetJob::FileBytes() const {
  std::uint64_t bytes = 0;
  std::set<std::string_view> counted;
  for (const Artifact& network : request_.artifacts) {
    if (counted.insert(network.sha256).second) bytes += network.bytes->size();
  }
  return bytes;
}

FleetJob::Next FleetJob::RefuseAsTooLarge(const std::string& why) {
  if (is_measure()) {
    FinishMeasure(MeasureStatus::kRejected, why);
  } else {
    Fail(Unsupported(why));
  }
  return Next::kFinished;
}

void FleetJob::WriteChunk(std::size_t most_bytes, Message* request) const {
  v1::ArtifactChunk* chunk = request->envelope.mutable_artifact_chunk();
  request->raw = artifact().bytes->substr(have_bytes_, most_bytes);
  chunk->set_sha256(artifact().sha256);
  chunk->set_offset(have_bytes_);
  chunk->set_crc32(Crc32(request->raw));
}

FleetJob::Next FleetJob::WriteInfer(std::size_t max_raw_bytes, Message* request) {
  const auto& input = std::get<InferInput>(request_.input);
  const std::size_t fitting = std::min(max_raw_bytes / input.image_bytes, kMaxImagesPerRequest);
  if (fitting == 0) {
    return RefuseAsTooLarge("an image of " + std::to_string(input.image_bytes) +
                            " bytes does not fit the board's largest frame of " +
                            std::to_string(max_raw_bytes) + " bytes");
  }
  const std::size_t left = input.pixels.size() / input.image_bytes - result_.logits.size();
  images_sent_ = std::min(left, fitting);
  // Only the board knows how fast it is; while it infers it answers pings, so a dead one is
  // noticed.
  request->envelope.set_deadline_ms(kMaxDeadlineMs);
  v1::InferRequest* infer = request->envelope.mutable_infer_request();
  infer->set_network_sha256(artifact().sha256);
  infer->set_num_images(static_cast<std::uint32_t>(images_sent_));
  request->raw = input.pixels.substr(result_.logits.size() * input.image_bytes,
                                     images_sent_ * input.image_bytes);
  return Next::kSend;
}

FleetJob::Next FleetJob::WriteMeasure(const FrameLimits& limits, Message* request) {
  const auto& input = std::get<MeasureInput>(request_.input);
  v1::MeasureRequest* measure = request->envelope.mutable_measure_request();
  measure->set_measure_id(input.measure_id);
  for (const Artifact& network : request_.artifacts) measure->add_network_sha256(network.sha256);
  measure->mutable_spec()->set_tier(static_cast<v1::MeasureSpec::Tier>(input.tier));
  measure->mutable_spec()->set_per_operation(input.per_operation);
  measure->mutable_spec()->set_extended(input.extended);
  measure->mutable_spec()->set_energy(input.energy);
  // An older bitpilotd measures again in equal windows: what disturbed it may have passed by then. Who
  // decides how often need not know which board it was, and a replay decides alike.
  const int doublings = limits.takes_longer_windows ? input.window_doublings : 0;
  measure->mutable_spec()->set_window_doublings(static_cast<std::uint32_t>(doublings));
  measure->set_golden_pixels(input.golden_pixels);
  for (const std::string& logits : input.golden_logits) measure->add_golden_logits(logits);
  if (limits.takes_kernel_choices && input.kernel_choices.size() <= kMaxKernelChoicesBytes) {
    measure->set_kernel_choices(input.kernel_choices);
    if (!FitsFrames(*request)) measure->clear_kernel_choices();
  }
  if (NeedsRawPixels(*request) && !limits.takes_raw_pixels) {
    return RefuseAsTooLarge("images of " + std::to_string(input.golden_pixels.size()) +
                            " bytes are more than the board's bitpilotd takes: update it");
  }
  const bool fits = FitsFrames(*request) && (!NeedsRawPixels(*request) ||
                                             input.golden_pixels.size() <= limits.max_raw_bytes);
  was_asked_for_ = was_asked_for_ || fits;
  if (fits) return Next::kSend;
  return RefuseAsTooLarge("an image of " + std::to_string(input.golden_pixels.size()) +
                          " bytes and the outputs of " + std::to_string(request_.artifacts.size()) +
                          " networks do not fit one request: the board takes images of up to " +
                          std::to_string(limits.max_raw_bytes) + " bytes and outputs of up to " +
                          std::to_string(kMaxEnvelopeBytes) + " bytes");
}

FleetJob::Next FleetJob::OnReply(const Message& reply) {
  const v1::Envelope& envelope = reply.envelope;
  switch (envelope.body_case()) {
    case v1::Envelope::kArtifactStatus:
      return OnArtifactStatus(envelope.artifact_status());
    case v1::Envelope::kInferResult:
      return OnInferResult(envelope.infer_result(), reply.raw);
    case v1::Envelope::kMeasureAccepted:
      if (stage_ != Stage::kRun || !is_measure()) return Next::kLost;
      stage_ = Stage::kMeasuring;
      eta_ms_ = envelope.measure_accepted().eta_ms();
      queue_position_ = envelope.measure_accepted().queue_position();
      return Next::kWait;
    case v1::Envelope::kMeasureResult:
      return OnMeasureResult(envelope.measure_result());
    case v1::Envelope::kError:
      return OnError(FromProto(envelope.error()));
    default:
      return Next::kLost;
  }
}

FleetJob::Next FleetJob::OnArtifactStatus(const v1::ArtifactStatus& status) {
  const bool asked = stage_ == Stage::kQuery || stage_ == Stage::kUpload;
  const std::size_t size = artifact().bytes->size();
  if (!asked || status.sha256() != artifact().sha256 || status.have_bytes() > size ||
      (status.have_bytes() == size && !status.complete())) {
    return Next::kLost;
  }
  have_bytes_ = status.have_bytes();
  std::size_t progress = status.complete() ? size : have_bytes_;
  for (std::size_t i = 0; i < artifact_; ++i) progress += request_.artifacts[i].bytes->size();
  if (progress > best_progress_) {
    best_progress_ = progress;
    losses_ = 0;
    refused_chunks_ = 0;
  }
  if (!status.complete()) {
    stage_ = Stage::kUpload;
  } else if (artifact_ + 1 < request_.artifacts.size()) {
    ++artifact_;
    have_bytes_ = 0;
    stage_ = Stage::kQuery;
  } else {
    stage_ = Stage::kRun;
  }
  return Next::kSend;
}

FleetJob::Next FleetJob::OnInferResult(const v1::InferResult& result, const std::string& raw) {
  if (stage_ != Stage::kRun || is_measure()) return Next::kLost;
  const auto& input = std::get<InferInput>(request_.input);
  if (result.num_images() != images_sent_ ||
      result.num_classes() != static_cast<std::uint32_t>(input.num_classes)) {
    Fail(DataCorrupt("expected the logits of " + std::to_string(images_sent_) + " images and " +
                     std::to_string(input.num_classes) + " classes, got " +
                     std::to_string(result.num_images()) + " and " +
                     std::to_string(result.num_classes())));
    return Next::kFinished;
  }
  for (std::vector<float>& logits : ToLogits(raw, input.num_classes)) {
    result_.logits.push_back(std::move(logits));
  }
  losses_ = 0;
  if (result_.logits.size() * input.image_bytes < input.pixels.size()) return Next::kSend;
  stage_ = Stage::kFinished;
  return Next::kFinished;
}

FleetJob::Next FleetJob::OnMeasureResult(const v1::MeasureResult& result) {
  if (result.damaged_sha256_size() > 0) {
    // The board has dropped what a power cut, say, left of a file: the upload begins again.
    OnSessionLost(result.detail());
    return finished() ? Next::kFinished : Next::kSend;
  }
  const auto& input = std::get<MeasureInput>(request_.input);
  std::vector<ExpectedNetwork> expected;
  for (std::size_t i = 0; i < request_.artifacts.size(); ++i) {
    expected.push_back({request_.artifacts[i].sha256, input.num_operations[i]});
  }
  Result<Measurement> measurement = ToMeasurement(
      result, expected, {.per_operation = input.per_operation, .energy = input.energy});
  if (measurement.ok()) {
    result_.measurement = std::move(measurement).value();
    stage_ = Stage::kFinished;
  } else {
    OnInvalidResult(measurement.status());
  }
  return Next::kFinished;
}

void FleetJob::OnInvalidResult(const Status& why) {
  FinishMeasure(MeasureStatus::kProtocolError, "the board's result is not valid: " + why.message());
}

FleetJob::Next FleetJob::OnError(const Status& error) {
  const bool running = stage_ == Stage::kRun || stage_ == Stage::kMeasuring;
  if (error.code() == StatusCode::kUnavailable) return Next::kRetry;
  if (error.code() == StatusCode::kAborted) return Next::kLost;
  // An unknown network, which an upload cures, or an unknown session.
  if (error.code() == StatusCode::kNotFound) {
    if (!running) return Next::kLost;
    OnSessionLost(error.message());
    return finished() ? Next::kFinished : Next::kSend;
  }
  if (error.code() == StatusCode::kDataCorrupt && stage_ == Stage::kUpload &&
      ++refused_chunks_ <= kMaxRefusedChunks) {
    Restart();
    return Next::kSend;
  }
  if (is_measure()) {
    FinishMeasure(StatusOfError(error.code(), running), error.message());
  } else {
    Fail(error);
  }
  return Next::kFinished;
}

void FleetJob::OnSessionLost(const std::string& reason) {
  if (++losses_ <= kMaxRetries) {
    Restart();
    return;
  }
  const std::string detail =
      "given up after " + std::to_string(losses_) + " attempts; the last: " + reason;
  if (is_measure()) {
    FinishMeasure(MeasureStatus::kLost, detail);
  } else {
    Fail(Status(StatusCode::kUnavailable, detail));
  }
}

void FleetJob::Restart() {
  stage_ = Stage::kQuery;
  artifact_ = 0;
  have_bytes_ = 0;
  eta_ms_ = queue_position_ = 0;
}

void FleetJob::FinishMeasure(MeasureStatus status, std::string detail) {
  result_.measurement = Measurement();
  result_.measurement.status = status;
  result_.measurement.detail = std::move(detail);
  stage_ = Stage::kFinished;
}

void FleetJob::Fail(const Status& status) {
  result_.status = status;
  stage_ = Stage::kFinished;
}

const std::string& FleetJob::measure_id() const {
  static const std::string kNone;
  return is_measure() ? std::get<MeasureInput>(request_.input).measure_id : kNone;
}

JobResult FleetJob::TakeResult() {
  BITPILOT_CHECK(finished());
  return std::move(result_);
}

}  // namespace bitpilot
