#include "agent/fleet/job_requests.h"

#include <cstddef>
#include <cstring>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "kernels/base/network_file.h"
#include "kernels/base/sha256.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kGoldenSeed = 0x6269747069;

Result<Artifact> MakeArtifact(const Network& network) {
  BITPILOT_RETURN_IF_ERROR(ValidateNetwork(network));
  std::string bytes = SerializeNetwork(network);
  if (bytes.size() > kMaxArtifactBytes) {
    return Status(StatusCode::kResourceExhausted,
                  "network '" + network.topology.name + "' has a file of " +
                      std::to_string(bytes.size()) + " bytes; boards take at most " +
                      std::to_string(kMaxArtifactBytes));
  }
  const Sha256Digest digest = ComputeSha256(bytes);
  return Artifact{std::string(digest.begin(), digest.end()),
                  std::make_shared<const std::string>(std::move(bytes))};
}

// Pixels that use the whole range of bytes (SplitMix64), the same on every machine.
std::vector<std::uint8_t> GoldenImage(std::size_t num_bytes) {
  std::vector<std::uint8_t> pixels(num_bytes);
  std::uint64_t state = kGoldenSeed;
  for (std::uint8_t& pixel : pixels) {
    state += 0x9E3779B97F4A7C15ULL;
    std::uint64_t mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9ULL;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
    pixel = static_cast<std::uint8_t>(mixed >> 56);
  }
  return pixels;
}

std::string FloatBytes(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace

Result<JobRequest> MakeInferRequest(const Network& network, std::span<const std::uint8_t> images) {
  Result<Artifact> artifact = MakeArtifact(network);
  if (!artifact.ok()) return artifact.status();
  const auto image_bytes = static_cast<std::size_t>(network.input_bytes());
  if (images.empty() || images.size() % image_bytes != 0) {
    return InvalidArgument("images of network '" + network.topology.name + "' have " +
                           std::to_string(image_bytes) + " bytes each, got " +
                           std::to_string(images.size()) + " in all");
  }
  JobRequest request;
  request.artifacts.push_back(std::move(artifact).value());
  request.input =
      InferInput{std::string(images.begin(), images.end()), image_bytes, network.num_classes()};
  return request;
}

Result<JobRequest> MakeMeasureRequest(const MeasureJob& job, std::string measure_id) {
  GoldenLogits golden;
  return MakeMeasureRequest(job, std::move(measure_id), golden, /*board_isa=*/"");
}

Result<JobRequest> MakeMeasureRequest(const MeasureJob& job, std::string measure_id,
                                      GoldenLogits& golden, const std::string& board_isa) {
  if (job.networks.empty() || job.networks.size() > std::size_t{kMaxNetworksPerMeasure}) {
    return InvalidArgument("one measurement takes 1 to " + std::to_string(kMaxNetworksPerMeasure) +
                           " networks, got " + std::to_string(job.networks.size()));
  }
  const TensorShape image = job.networks.front()->topology.input;
  JobRequest request;
  MeasureInput input;
  input.measure_id = std::move(measure_id);
  input.tier = job.tier;
  input.per_operation = job.per_operation;
  input.extended = job.extended;
  input.energy = job.energy;
  input.window_doublings = job.window_doublings;
  for (const Network* network : job.networks) {
    Result<Artifact> artifact = MakeArtifact(*network);
    if (!artifact.ok()) return artifact.status();
    if (network->topology.input != image) {
      return InvalidArgument("networks measured together take the same images; '" +
                             network->topology.name + "' differs from the first");
    }
    const std::vector<std::uint8_t> pixels =
        GoldenImage(static_cast<std::size_t>(network->input_bytes()));
    input.golden_pixels.assign(pixels.begin(), pixels.end());
    input.golden_logits.push_back(
        FloatBytes(golden.Of(*network, artifact->sha256, pixels, board_isa)));
    input.num_operations.push_back(network->topology.num_operations());
    request.artifacts.push_back(std::move(artifact).value());
  }
  request.input = std::move(input);
  return request;
}

Result<JobRequest> MakeMeasureRequest(const MeasureJob& job, GoldenLogits& golden,
                                      const std::string& board_isa) {
  Result<JobRequest> request = MakeMeasureRequest(job, NewMeasureId(), golden, board_isa);
  if (request.ok() && !job.name.empty()) {
    std::get<MeasureInput>(request->input).measure_id = MeasureIdOf(job.name, *request);
  }
  return request;
}

// The golden pixels and logits follow from the networks.
std::string MeasureIdOf(const std::string& name, const JobRequest& request) {
  const auto& input = std::get<MeasureInput>(request.input);
  std::string text = std::to_string(name.size()) + " " + name;
  for (const Artifact& network : request.artifacts) text += network.sha256;
  for (const int figure : {static_cast<int>(input.tier), input.per_operation ? 1 : 0,
                           input.extended ? 1 : 0, input.energy ? 1 : 0, input.window_doublings}) {
    text += " " + std::to_string(figure);
  }
  const Sha256Digest digest = ComputeSha256(text);
  return std::string(digest.begin(), digest.begin() + std::ptrdiff_t{kMeasureIdBytes});
}

std::string NewMeasureId() {
  std::random_device random;
  std::string id;
  while (id.size() < kMeasureIdBytes) {
    const std::random_device::result_type bits = random();
    id.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  }
  id.resize(kMeasureIdBytes);
  return id;
}

}  // namespace bitpilot
