// SimAgent's part that plays the planted bugs.
#include <utility>

#include "experiments/reliability/sim_agent.h"
#include "experiments/reliability/world.h"

namespace bitpilot::simulation {
namespace {

using std::chrono::milliseconds;

// So long a record waits for another one that it is swapped with.
constexpr milliseconds kSwapWait{5'000};

}  // namespace

bool SimAgent::PlayBugs(JobId id, Oracle::Record& record, const BoardInfo& info) {
  const bool has_numbers = !record.numbers.empty();
  switch (world_.bug()) {
    case PlantedBug::kAgentMixesUpJobs: {
      const auto next = std::next(study_.jobs.find(record.job));
      if (!has_numbers || next == study_.jobs.end() || next->second.has_ended) return false;
      record.job = next->first;
      record.networks.clear();
      for (const Artifact& network : next->second.spec.request.artifacts) {
        record.networks.push_back(network.sha256);
      }
      return false;
    }
    case PlantedBug::kAgentSwapsJobs:
      if (has_numbers) SwapWithAnother(id, record, info);
      return has_numbers;
    case PlantedBug::kAgentInventsNumbers:
      if (has_numbers || !record.images.empty() || record.job_id.empty()) return false;
      record.is_end = true;
      record.status = "OK";
      record.numbers.assign(record.networks.size(), Number{});
      return false;
    case PlantedBug::kAgentInventsFailures:
      if (!has_numbers || !world_.random().Permille(50)) return false;
      record.status = "CRASH";
      record.numbers.clear();
      return false;
    case PlantedBug::kAgentLosesNumbers:
      if (has_numbers && world_.random().Permille(50)) record.numbers.clear();
      return false;
    case PlantedBug::kAgentRecordsTwice:
      Commit(id, record, info);
      return false;
    default:
      return false;
  }
}

// Both are of the same board and the same measure: their ids go with their numbers.
void SimAgent::SwapWithAnother(JobId id, Oracle::Record record, const BoardInfo& info) {
  if (held_ && held_->record.board == record.board && held_->record.class_tag == record.class_tag &&
      held_->record.numbers.size() == record.numbers.size()) {
    Held other = std::move(*std::exchange(held_, std::nullopt));
    std::swap(other.record.numbers, record.numbers);
    std::swap(other.record.measure_id, record.measure_id);
    Commit(other.id, std::move(other.record), other.info);
    return Commit(id, std::move(record), info);
  }
  if (held_) return Commit(id, std::move(record), info);
  held_ = Held{id, std::move(record), info};
  world_.After(kSwapWait, [this, id, life = life_] {
    if (life != life_ || !held_ || held_->id != id) return;
    Held alone = std::move(*std::exchange(held_, std::nullopt));
    Commit(alone.id, std::move(alone.record), alone.info);
  });
}

}  // namespace bitpilot::simulation
