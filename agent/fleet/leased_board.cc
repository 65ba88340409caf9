#include "agent/fleet/leased_board.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <variant>

#include "agent/fleet/job_requests.h"
#include "agent/fleet/measure_retries.h"
#include "kernels/base/check.h"
#include "kernels/base/host_name.h"

namespace bitpilot {
namespace {

class LeasedBoard : public Board {
 public:
  LeasedBoard(ClientOptions client, const AgentKeys& keys, BoardThread::Locate locate,
              const BoardOptions& options)
      : stop_(options.stop),
        listed_name_(client.board_name),
        retries_(RetriesOf(client.board_name, options)),
        thread_(std::move(client), keys, std::move(locate), options.notice) {}

  Status WaitUntilReady() {
    Result<BoardInfo> info = thread_.WaitUntilReady(stop_);
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
    Result<JobResult> result = thread_.Wait(thread_.Submit(std::move(request).value()), stop_);
    if (!result.ok()) return result.status();
    if (!result->status.ok()) return result->status;
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
    Result<JobRequest> request = MakeMeasureRequest(job, NewMeasureId());
    if (!request.ok()) return request.status();
    request_ = std::move(request).value();
    started_ = thread_.Submit(request_);
    return {};
  }

  Result<Measurement> FinishMeasure() override {
    BITPILOT_CHECK(started_.has_value());
    const JobId first = *std::exchange(started_, std::nullopt);
    return MeasureWithRetries(
        [&](Attempt attempt) {
          return WaitForMeasurement(attempt == Attempt::kFirst ? first : SubmitAgain(attempt));
        },
        retries_);
  }

 private:
  static RetryOptions RetriesOf(const std::string& name, const BoardOptions& options) {
    RetryOptions retries;
    retries.board_name = name;
    retries.now = [] {
      return std::chrono::duration_cast<Instant>(
          std::chrono::steady_clock::now().time_since_epoch());
    };
    retries.pause = [stop = options.stop](std::chrono::milliseconds time) -> Status {
      constexpr std::chrono::milliseconds kPoll{100};
      for (auto left = time; left.count() > 0; left -= kPoll) {
        if (stop && stop()) return {StatusCode::kAborted, "stopped while waiting for the board"};
        std::this_thread::sleep_for(std::min(left, kPoll));
      }
      return {};
    };
    retries.notice = options.notice;
    return retries;
  }

  JobId SubmitAgain(Attempt attempt) {
    if (attempt == Attempt::kAnother) {
      std::get<MeasureInput>(request_.input).measure_id = NewMeasureId();
    }
    return thread_.Submit(request_);
  }

  Result<Measurement> WaitForMeasurement(JobId id) {
    Result<JobResult> result = thread_.Wait(id, stop_);
    if (!result.ok()) return result.status();
    if (!result->status.ok()) return result->status;
    return std::move(result->measurement);
  }

  const std::function<bool()> stop_;
  const std::string listed_name_;
  const RetryOptions retries_;
  BoardInfo info_;
  JobRequest request_;  // of the measurement that was started
  std::optional<JobId> started_;
  BoardThread thread_;
};

// What another agent reads that asks for the lease: host and process.
std::string HolderName() {
  return "bitpilot, process " + std::to_string(getpid()) + " on " + HostName();
}

}  // namespace

Result<std::unique_ptr<Board>> OpenBoard(const std::string& name, const std::string& endpoint,
                                         const AgentKeys& keys, BoardThread::Locate locate,
                                         const BoardOptions& options) {
  ClientOptions client;
  client.board_name = name;
  client.endpoint = endpoint;
  client.agent_build = "bitpilot " BITPILOT_VERSION;
  client.holder = HolderName();
  client.connect_timeout = options.connect_timeout;
  client.reconnect_timeout = options.reconnect_timeout;
  client.lease_wait = options.lease_wait;
  client.jitter_seed = std::random_device{}();
  auto board = std::make_unique<LeasedBoard>(std::move(client), keys, std::move(locate), options);
  BITPILOT_RETURN_IF_ERROR(board->WaitUntilReady());
  return std::unique_ptr<Board>(std::move(board));
}

Result<std::unique_ptr<Board>> ConnectBoard(const BoardAddress& address, const AgentKeys& keys,
                                            const BoardOptions& options) {
  return OpenBoard(
      address.name, address.endpoint, keys, [address] { return Result<BoardAddress>(address); },
      options);
}

}  // namespace bitpilot
