// One board of a class as the Board that sessions ask: the same one as long as it is there, another one of
// its class when it stays away or failed at what it was asked.
//
// One that joins the class meanwhile, or comes back as another machine, is not asked before it was judged:
// its ratios may be another class's. Who waits calls ClassMemberFleet::while_waiting, so that this can be
// done while a request lasts; the final comparison of a search does (agent/session/search_driver.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/golden_logits.h"
#include "agent/fleet/job_requests.h"
#include "kernels/base/status.h"

namespace bitpilot {

// What the members of a fleet's classes share. All of it outlives them.
struct ClassMemberFleet {
  FleetDriver& driver;
  GoldenLogits& golden;
  const std::map<fleet::BoardId, std::string>& names;  // of the boards
  const std::function<bool()>& stop;                   // polled while waiting; may be empty
  const std::function<Status()>& while_waiting;  // ClassBoards::WhileWaiting()'s; may be empty
  const std::chrono::milliseconds& move_after;   // FleetClassOptions'
};

class ClassMemberBoard final : public Board {
 public:
  // first: the board to ask first, with what it said of itself; 0: none is there yet, and what boards of
  // the class are like is known.
  ClassMemberBoard(const ClassMemberFleet& fleet, std::string on, fleet::BoardId first,
                   BoardInfo info)
      : fleet_(fleet), on_(std::move(on)), board_(first), info_(std::move(info)) {}

  // Asks `board` from now on.
  void Prefer(fleet::BoardId board);

  const BoardInfo& info() const override { return info_; }
  std::string listed_name() const override {
    const auto named = fleet_.names.find(board_);
    return named == fleet_.names.end() ? std::string() : named->second;
  }
  Result<std::vector<std::vector<float>>> Infer(const Network& network,
                                                std::span<const std::uint8_t> images) override;
  Result<Measurement> Measure(const MeasureJob& job) override;
  Status StartMeasure(const MeasureJob& job) override;
  Result<Measurement> FinishMeasure() override;
  void Recorded(const std::string& measure_id) override;

 private:
  // name: the job's; its board keeps the result until Recorded().
  Result<fleet::JobEnded> Run(JobRequest request, const std::string& name = "");
  bool IsThere(fleet::BoardId board) const;
  bool HasOthers(fleet::BoardId than) const;

  const ClassMemberFleet& fleet_;
  const std::string on_;
  fleet::BoardId board_;
  BoardInfo info_;
  std::optional<JobRequest> request_;
  std::string name_;                                         // of its job
  std::map<std::string, std::pair<JobId, int>> unrecorded_;  // job and attempt, by measure id
};

}  // namespace bitpilot
