#include "experiments/reliability/study.h"

#include <cstring>
#include <memory>
#include <utility>

#include "experiments/reliability/sim_random.h"
#include "kernels/base/sha256.h"
#include "proto/validation.h"

namespace bitpilot::simulation {
namespace {

std::string HashOf(const std::string& text) {
  const Sha256Digest digest = ComputeSha256(text);
  return {digest.begin(), digest.end()};
}

std::shared_ptr<const std::string> FileOf(std::size_t size) {
  static const auto kSmall = std::make_shared<const std::string>(300, 's');
  static const auto kLarge = std::make_shared<const std::string>(kChunkBytes + 77, 'l');
  return size > kChunkBytes ? kLarge : kSmall;
}

MeasureInput InputOf(const std::string& name, std::size_t num_networks) {
  MeasureInput input;
  input.measure_id = HashOf(name).substr(0, kMeasureIdBytes);
  input.golden_pixels = "pixels";
  input.golden_logits.assign(num_networks, "abcd");
  input.num_operations.assign(num_networks, 2);
  return input;
}

}  // namespace

Study MakeStudy(int agent, int num_jobs, const std::vector<std::string>& tags, std::uint64_t seed,
                bool has_large_file) {
  SimRandom random(seed ^ 0x5bd1e995);
  Study study;
  for (int number = 0; number < num_jobs; ++number) {
    const std::string name = "agent " + std::to_string(agent) + " job " + std::to_string(number);
    Study::Job job;
    fleet::JobSpec& spec = job.spec;
    spec.class_tag = tags[static_cast<std::size_t>(random.Below(static_cast<int>(tags.size())))];
    spec.priority = random.Between(-1, 1);
    spec.stream = random.Permille(500) ? "a" : "b";
    const bool infers = random.Permille(150);
    const int num_networks = infers || random.Permille(500) ? 1 : 2;
    for (int i = 0; i < num_networks; ++i) {
      // Half of the networks are another job's, too.
      const std::string of = random.Permille(500) ? "shared " + std::to_string(random.Below(4))
                                                  : name + " network " + std::to_string(i);
      const bool is_large = has_large_file && number == 0 && i == 0;
      spec.request.artifacts.push_back(
          {HashOf(is_large ? of + " large" : of), FileOf(is_large ? kChunkBytes + 77 : 300)});
    }
    if (infers) {
      spec.request.input = InferInput{"pixelsimages", 6, 1};
    } else {
      spec.request.input = InputOf(name, spec.request.artifacts.size());
    }
    study.jobs[number] = std::move(job);
  }
  return study;
}

JobRequest HealthCheckOf(int agent, int life) {
  JobRequest request;
  request.artifacts.push_back({HashOf("health"), FileOf(300)});
  request.input =
      InputOf("health of agent " + std::to_string(agent) + " life " + std::to_string(life), 1);
  return request;
}

}  // namespace bitpilot::simulation
