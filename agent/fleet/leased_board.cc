#include "agent/fleet/leased_board.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "agent/fleet/fleet_board.h"
#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/golden_logits.h"
#include "agent/fleet/health_check.h"
#include "agent/fleet/job_requests.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

fleet::FleetOptions OptionsOfOne(const BoardOptions& board) {
  fleet::FleetOptions options;
  options.health_check = HealthCheckRequest();
  // Absence has its own limit. This one is for a board that fails its health checks.
  options.max_wait = std::max(options.retries.unfit_wait, board.reconnect_timeout);
  return options;
}

class LeasedBoard : public Board {
 public:
  LeasedBoard(FleetBoard board, const BoardOptions& options)
      : stop_(options.stop),
        listed_name_(board.client.board_name),
        golden_(options.notice),
        fleet_(OptionsOfOne(options), options.notice),
        id_(fleet_.AddBoard(std::move(board))) {}

  Status WaitUntilReady() {
    Result<BoardInfo> info = fleet_.WaitUntilReady(id_, stop_);
    if (!info.ok()) return info.status();
    info_ = std::move(info).value();
    return Status();
  }

  const BoardInfo& info() const override { return info_; }
  std::string listed_name() const override { return listed_name_; }

  Result<std::vector<std::vector<float>>> Infer(const Network& network,
                                                std::span<const std::uint8_t> images) override {
    Result<JobRequest> request = MakeInferRequest(network, images);
    if (!request.ok()) return request.status();
    Result<JobResult> result = WaitFor(Submit(std::move(request).value()));
    if (!result.ok()) return result.status();
    return std::move(result->logits);
  }

  Result<Measurement> Measure(const MeasureJob& job) override {
    BITPILOT_RETURN_IF_ERROR(StartMeasure(job));
    return FinishMeasure();
  }

  Status StartMeasure(const MeasureJob& job) override {
    if (started_.has_value()) {
      return InvalidArgument("a measurement was started already; finish that one first");
    }
    Result<JobRequest> request = MakeMeasureRequest(job, golden_, info_.isa);
    if (!request.ok()) return request.status();
    started_ = Submit(std::move(request).value());
    is_recorded_later_ = !job.name.empty();
    return {};
  }

  Result<Measurement> FinishMeasure() override {
    BITPILOT_CHECK(started_.has_value());
    Result<JobResult> result =
        WaitFor(*std::exchange(started_, std::nullopt), std::exchange(is_recorded_later_, false));
    if (!result.ok()) return result.status();
    return std::move(result->measurement);
  }

  void Recorded(const std::string& measure_id) override {
    const auto owed = unrecorded_.extract(measure_id);
    if (!owed.empty()) fleet_.Record(owed.mapped().first, owed.mapped().second);
  }

 private:
  JobId Submit(JobRequest request) {
    fleet::JobSpec job;
    job.request = std::move(request);
    job.only_on = id_;
    return fleet_.Submit(std::move(job));
  }

  // is_recorded_later: its board keeps the result until Recorded().
  Result<JobResult> WaitFor(JobId id, bool is_recorded_later = false) {
    Result<fleet::JobEnded> ended = fleet_.Wait(id, stop_);
    if (!ended.ok()) return ended.status();
    if (is_recorded_later && ended->result.status.ok()) {
      unrecorded_[ended->measure_id] = {id, ended->attempt};
    } else {
      fleet_.Record(id, ended->attempt);
    }
    if (!ended->result.status.ok()) return ended->result.status;
    info_ = ended->info;
    return std::move(ended->result);
  }

  const std::function<bool()> stop_;
  const std::string listed_name_;
  BoardInfo info_;
  GoldenLogits golden_;
  std::optional<JobId> started_;
  bool is_recorded_later_ = false;                           // what was started
  std::map<std::string, std::pair<JobId, int>> unrecorded_;  // job and attempt, by measure id
  FleetDriver fleet_;
  const fleet::BoardId id_;
};

Result<std::unique_ptr<Board>> Open(FleetBoard description, const BoardOptions& options) {
  if (!description.power_cycle.empty()) {
    // It must have the time to boot.
    const fleet::FleetOptions waits{};
    description.client.reconnect_timeout +=
        waits.power_cycle_after + waits.max_power_cycles * waits.boot_time;
  }
  auto board = std::make_unique<LeasedBoard>(std::move(description), options);
  BITPILOT_RETURN_IF_ERROR(board->WaitUntilReady());
  return std::unique_ptr<Board>(std::move(board));
}

}  // namespace

Result<std::unique_ptr<Board>> OpenBoard(const std::string& name, const std::string& endpoint,
                                         const AgentKeys& keys, BoardLocator::Locate locate,
                                         const BoardOptions& options) {
  FleetBoard board = FleetBoardNamed(name, endpoint, keys, options);
  board.locate = std::move(locate);
  return Open(std::move(board), options);
}

Result<std::unique_ptr<Board>> ConnectBoard(const BoardAddress& address, const AgentKeys& keys,
                                            const BoardOptions& options) {
  return Open(FleetBoardAt(address, keys, options), options);
}

}  // namespace bitpilot
