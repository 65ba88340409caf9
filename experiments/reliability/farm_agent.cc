#include "experiments/reliability/farm_agent.h"

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "kernels/base/sha256.h"
#include "proto/validation.h"

namespace bitpilot::simulation {
namespace {

JobRequest PreparedRequest(std::size_t file_bytes) {
  JobRequest request;
  const auto file = std::make_shared<const std::string>(file_bytes, 'n');
  const Sha256Digest digest = ComputeSha256(*file);
  request.artifacts.push_back({std::string(digest.begin(), digest.end()), file});
  MeasureInput input;
  input.tier = Tier::kScreen;
  input.golden_pixels.assign(3 * 32 * 32, 'p');
  input.golden_logits = {std::string(10 * sizeof(float), '\0')};
  input.num_operations = {1};
  request.input = std::move(input);
  return request;
}

}  // namespace

FarmAgent::FarmAgent(const AgentKeys& keys, std::size_t file_bytes)
    : keys_(keys), request_(PreparedRequest(file_bytes)), fleet_({}, {}) {}

Status FarmAgent::Register(const std::vector<BoardAddress>& boards, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  std::vector<fleet::BoardId> ids;
  for (const BoardAddress& address : boards) {
    FleetBoard board;
    board.client.board_name = address.name;
    board.client.endpoint = address.endpoint;
    board.client.holder = "the experiment";
    board.client.lease.kind = LeaseKind::kPerJob;
    board.client.connect_timeout = board.client.reconnect_timeout = kForever;
    board.client.lease_wait = kForever;
    board.client.jitter_seed = ids.size();
    board.keys = keys_;
    board.address = address;
    ids.push_back(fleet_.AddBoard(std::move(board)));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Result<BoardInfo> info =
        fleet_.WaitUntilReady(ids[i], [end] { return std::chrono::steady_clock::now() > end; });
    if (!info.ok()) return info.status().WithContext(boards[i].name);
  }
  return {};
}

JobId FarmAgent::Submit() {
  fleet::JobSpec job;
  job.request = request_;
  std::string id(kMeasureIdBytes, '\0');
  ++num_requests_;
  std::memcpy(id.data(), &num_requests_, sizeof num_requests_);
  std::get<MeasureInput>(job.request.input).measure_id = std::move(id);
  return fleet_.Submit(std::move(job));
}

bool FarmAgent::Finish(JobId id) {
  const Result<fleet::JobEnded> ended = fleet_.Wait(id, {});
  if (!ended.ok()) return false;
  fleet_.Record(*ended);
  return ended->result.status.ok() && HasNumbers(ended->result.measurement.status);
}

int FarmAgent::Measure(int count, int in_flight) {
  std::deque<JobId> jobs;
  int measured = 0;
  for (int i = 0; i < count; ++i) {
    jobs.push_back(Submit());
    if (static_cast<int>(jobs.size()) < in_flight) continue;
    measured += Finish(jobs.front()) ? 1 : 0;
    jobs.pop_front();
  }
  for (const JobId id : jobs) measured += Finish(id) ? 1 : 0;
  return measured;
}

}  // namespace bitpilot::simulation
