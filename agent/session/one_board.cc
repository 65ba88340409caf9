#include "agent/session/one_board.h"

#include <utility>

#include "kernels/base/check.h"

namespace bitpilot {

Result<MeasureNumber> OneBoard::Start(const std::string&, const MeasureJob& job) {
  BITPILOT_CHECK(!is_started_);
  BITPILOT_RETURN_IF_ERROR(board_.StartMeasure(job));
  is_started_ = true;
  return ++last_;
}

Result<std::optional<ClassAnswer>> OneBoard::WaitForAnswer() {
  BITPILOT_CHECK(is_started_);
  // One that failed is under way no longer.
  is_started_ = false;
  Result<Measurement> measurement = board_.FinishMeasure();
  if (!measurement.ok()) return measurement.status();
  unrecorded_[last_] = measurement->measure_id;
  return std::optional(ClassAnswer{.number = last_,
                                   .measurement = std::move(*measurement),
                                   .board = board_.info(),
                                   .board_name = board_.listed_name()});
}

void OneBoard::Recorded(MeasureNumber number) {
  const auto owed = unrecorded_.extract(number);
  if (!owed.empty()) board_.Recorded(owed.mapped());
}

void OneBoard::GiveUp() {
  if (std::exchange(is_started_, false)) (void)board_.FinishMeasure();
}

}  // namespace bitpilot
