// A board that fails, or is disturbed, once, as a test chooses.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/board.h"

namespace bitpilot {

// All else is the answer of the board behind it.
class FailingBoard final : public Board {
 public:
  // request: how many are answered before.
  FailingBoard(std::unique_ptr<Board> board, int request, MeasureStatus status)
      : board_(std::move(board)), answers_left_(request), status_(status) {}

  const BoardInfo& info() const override { return board_->info(); }
  std::string listed_name() const override { return board_->listed_name(); }
  Result<Measurement> Measure(const MeasureJob& job) override {
    return FailedOr(board_->Measure(job));
  }
  Status StartMeasure(const MeasureJob& job) override { return board_->StartMeasure(job); }
  Result<Measurement> FinishMeasure() override { return FailedOr(board_->FinishMeasure()); }
  void Recorded(const std::string& measure_id) override { board_->Recorded(measure_id); }
  Result<std::vector<std::vector<float>>> Infer(const Network& network,
                                                std::span<const std::uint8_t> images) override {
    return board_->Infer(network, images);
  }

 private:
  Result<Measurement> FailedOr(Result<Measurement> answer) {
    if (answers_left_-- != 0) return answer;
    if (status_ == MeasureStatus::kNoisy && answer.ok()) {
      answer->status = status_;
      answer->detail = "once";
      return answer;
    }
    Measurement failed;
    failed.status = status_;
    failed.detail = "once";
    failed.source = "measured";
    return failed;
  }

  std::unique_ptr<Board> board_;
  int answers_left_;
  MeasureStatus status_;
};

}  // namespace bitpilot
