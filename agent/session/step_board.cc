#include "agent/session/step_board.h"

#include <algorithm>
#include <utility>

#include "agent/study/events.h"
#include "agent/study/measurement_rows.h"
#include "agent/study/step_ids.h"
#include "kernels/base/check.h"
#include "kernels/base/network_file.h"

namespace bitpilot {
namespace {

// Only networks that were measured together have a ratio.
bool IsOfOneRequest(const MeasurementEvent& a, const MeasurementEvent& b) {
  return a.on == b.on && a.board == b.board && a.board_seconds == b.board_seconds;
}

// A step's measurements on one board; number: 0 of the first board that began with it.
std::string SeriesId(const std::string& step_id, int number) {
  return number == 0 ? step_id : MovedStepId(step_id, number);
}

}  // namespace

StepBoard::~StepBoard() {
  if (is_measuring()) boards_->GiveUp();
}

std::string StepBoard::IdOf(int step, const ClassId& on) const {
  const auto found = std::find(classes_.begin(), classes_.end(), on);
  BITPILOT_CHECK(found != classes_.end());
  return StepId(step, static_cast<int>(found - classes_.begin()) + 1);
}

void StepBoard::NoteLogged(const MeasurementEvent& event) {
  const std::string& id = event.measurement_id;
  logged_.emplace(id, event);
  if (!IsStep(id)) {
    const auto candidate = logged_.find(MeasuredBeside(id));
    if (candidate != logged_.end()) ChargeNextRepeat(candidate->second);
    return;
  }
  RepeatBudget& budget = budgets_[event.on];
  budget.EndedRepeat(StepIdOf(id));
  if (IsRepeatedStep(id)) {
    budget.TookRepeat(event.board_seconds);
  } else {
    budget.TookFirst(event.board_seconds);
  }
  may_repeat_.emplace(id, budget.IsLeft());
}

void StepBoard::NoteMissing(const MissingEvent& event) {
  missing_[{event.step, event.on}] = event.detail;
  budgets_[event.on].EndedRepeat(IdOf(event.step, event.on));
}

void StepBoard::ChargeNextRepeat(const MeasurementEvent& event) {
  if (event.status != ToString(MeasureStatus::kNoisy)) return;
  const std::string step_id = StepIdOf(event.measurement_id);
  const Result<std::optional<StepRequest>> next = NextRequest(LastSeriesOf(step_id));
  // What is wrong with the rows is OutcomeOf()'s to say.
  if (!next.ok() || !*next || !IsRepeatedStep((*next)->measurement_id)) return;
  // Its windows are twice as long.
  budgets_[event.on].BeganRepeat(step_id, 2.0 * event.board_seconds);
}

int StepBoard::NumMeasuring(const ClassId& on) const {
  return static_cast<int>(std::count_if(measuring_.begin(), measuring_.end(),
                                        [&](const auto& each) { return each.first.second == on; }));
}

Status StepBoard::Start(int step, const ClassId& on, const BitAssignment& assignment,
                        const Network& network) {
  const Part part{step, on};
  BITPILOT_CHECK(!measuring_.contains(part));
  Measuring measuring{assignment, &network};
  BITPILOT_RETURN_IF_ERROR(GoOn(part, measuring));
  measuring_.emplace(part, std::move(measuring));
  return Status();
}

std::string StepBoard::LastSeriesOf(const std::string& step_id) const {
  int number = 0;
  while (logged_.contains(SeriesId(step_id, number + 1))) ++number;
  return SeriesId(step_id, number);
}

double StepBoard::SecondsOf(const std::string& series_id) const {
  std::vector<std::string> ids = {series_id, LongerStepId(series_id)};
  for (int number = 1; number < kMaxStepMeasurements; ++number) {
    ids.push_back(RepeatedStepId(series_id, number));
  }
  double seconds = 0.0;
  for (const std::string& id : ids) {
    const auto logged = logged_.find(id);
    if (logged != logged_.end()) seconds += logged->second.board_seconds;
  }
  return seconds;
}

// Who resumes may find a part of it in the log.
Status StepBoard::GoOn(const Part& part, Measuring& measuring) {
  measuring.request.reset();
  if (missing_.contains(part)) return Status();
  const std::string step_id = IdOf(part.first, part.second);
  std::string series = LastSeriesOf(step_id);
  if (std::exchange(measuring.must_move, false) && logged_.contains(series)) {
    int number = 1;
    while (SeriesId(step_id, number - 1) != series) ++number;
    series = SeriesId(step_id, number);
  }
  Result<std::optional<StepRequest>> next = NextRequest(series);
  if (!next.ok()) return next.status();
  measuring.request = std::move(*next);
  if (!measuring.request) return Status();
  const StepRequest& request = *measuring.request;
  const Result<const Network*> uniform8 = Uniform8();
  if (!uniform8.ok()) return uniform8.status();
  MeasureJob job;
  job.name = journal_.RequestName(request.measurement_id);
  job.networks = {measuring.network, *uniform8};
  job.tier = request.tier;
  job.window_doublings = request.window_doublings;
  job.energy = !request.knows_energy && problem_.energy_objective == EnergyObjective::kMeasured;
  // What follows a measurement is of the same board.
  const auto begun = logged_.find(series);
  const bool is_first = begun == logged_.end() || begun->second.board.empty();
  const Result<MeasureNumber> number =
      is_first ? boards_->Start(part.second, job)
               : boards_->StartOn(part.second, begun->second.board, job);
  if (!number.ok()) return number.status();
  measuring.number = *number;
  return Status();
}

Result<std::optional<StepRequest>> StepBoard::NextRequest(const std::string& series_id) const {
  std::optional<StepRequest> next;
  const auto measured = [&](const StepRequest& request) -> Result<StepRows> {
    if (logged_.contains(request.measurement_id)) return RowsOf(request.measurement_id);
    next = request;
    return Status(StatusCode::kUnavailable, "not measured yet");
  };
  const Result<StepRows> rows = MeasureStep(series_id, measured);
  if (!next && !rows.ok()) return rows.status();
  return next;
}

Result<std::vector<StepBoard::Part>> StepBoard::TakeAnswers() {
  while (awaits_answers()) {
    Result<std::optional<ClassAnswer>> answer = boards_->TakeAnswer();
    if (!answer.ok()) return answer.status();
    if (!*answer) break;
    BITPILOT_RETURN_IF_ERROR(Take(std::move(**answer)));
  }
  return TakeComplete();
}

Result<std::vector<StepBoard::Part>> StepBoard::WaitForAnswers() {
  BITPILOT_CHECK(awaits_answers());
  std::vector<Part> complete = TakeComplete();
  if (!complete.empty()) return complete;
  Result<std::optional<ClassAnswer>> answer = boards_->WaitForAnswer();
  if (!answer.ok()) return answer.status();
  if (*answer) BITPILOT_RETURN_IF_ERROR(Take(std::move(**answer)));
  return TakeComplete();
}

Status StepBoard::Take(ClassAnswer answer) {
  if (pools_ != nullptr && pools_->IsOwn(answer.number)) return pools_->Take(std::move(answer));
  const auto found = std::find_if(measuring_.begin(), measuring_.end(), [&](const auto& each) {
    return each.second.request && each.second.number == answer.number;
  });
  BITPILOT_CHECK(found != measuring_.end());
  auto& [part, measuring] = *found;
  if (!answer.failure.ok()) {
    if (static_cast<int>(missing_.size()) >= max_missing_) {
      return {StatusCode::kUnavailable,
              "boards were gone for " + std::to_string(missing_.size()) +
                  " candidates, which were predicted (--on-missing surrogate): as many as the "
                  "search may measure, and " +
                  answer.failure.message() + ". Bring a board back and resume"};
    }
    const Result<MissingEvent> missing = journal_.Observe<MissingEvent>([&] {
      return Result<MissingEvent>(
          MissingEvent{found->first.first, found->first.second, answer.failure.message()});
    });
    if (!missing.ok()) return missing.status();
    NoteMissing(*missing);
    return GoOn(part, measuring);
  }
  if (answer.is_lost) {
    measuring.must_move = true;
    return GoOn(part, measuring);
  }
  if (const Status exact = CheckExact(answer.measurement); !exact.ok()) {
    boards_->Recorded(answer.number);  // it will not be logged: who resumes measures it again
    return exact;
  }
  const std::string& id = measuring.request->measurement_id;
  const std::vector<MeasurementRow> rows =
      ToRows(answer.measurement, measuring.request->tier, answer.board,
             {{id, measuring.assignment},
              {Uniform8StepId(id), UniformAssignment(problem_.topology, 8, 8)}},
             {part.second, answer.board_name});
  BITPILOT_RETURN_IF_ERROR(journal_.AppendRows(rows));
  boards_->Recorded(answer.number);
  for (const MeasurementRow& row : rows) NoteLogged(MeasurementEventOf(row));
  return GoOn(part, measuring);
}

std::vector<StepBoard::Part> StepBoard::TakeComplete() {
  std::vector<Part> complete;
  std::erase_if(measuring_, [&](const auto& each) {
    if (each.second.request) return false;
    complete.push_back(each.first);
    return true;
  });
  return complete;
}

Result<StepRows> StepBoard::RowsOf(const std::string& measurement_id) const {
  for (const std::string& id : {measurement_id, Uniform8StepId(measurement_id)}) {
    if (!logged_.contains(id)) return DataCorrupt("the log does not hold measurement " + id);
  }
  Result<MeasurementRow> candidate = journal_.LoggedRow(measurement_id);
  if (!candidate.ok()) return candidate.status();
  Result<MeasurementRow> uniform8 = journal_.LoggedRow(Uniform8StepId(measurement_id));
  if (!uniform8.ok()) return uniform8.status();
  const MeasurementEvent& event = logged_.at(measurement_id);
  const MeasurementEvent by_row = MeasurementEventOf(*candidate);
  if (event.on != by_row.on || event.board != by_row.board ||
      event.board_seconds != by_row.board_seconds || event.measure_id != by_row.measure_id) {
    return DataCorrupt("measurement " + measurement_id +
                       ": class, board, seconds or request of its event are not those of its row");
  }
  const MeasurementEvent beside = MeasurementEventOf(*uniform8);
  if (!IsOfOneRequest(event, logged_.at(beside.measurement_id)) || !IsOfOneRequest(event, beside) ||
      candidate->board != uniform8->board) {
    return DataCorrupt("measurement " + measurement_id +
                       ": uniform 8 bit beside it has another class, board or time: they were not "
                       "measured together, and have no ratio");
  }
  const EnergyRatios energy = EnergyRatiosOf(*candidate, *uniform8);
  return StepRows{std::move(*candidate), std::move(*uniform8), energy, by_row.board_seconds,
                  may_repeat_.at(measurement_id)};
}

Result<ClassOutcome> StepBoard::OutcomeOf(int step, const ClassId& on) const {
  ClassOutcome outcome;
  outcome.on = on;
  if (const auto missing = missing_.find({step, on}); missing != missing_.end()) {
    outcome.result = BoardUnavailable{missing->second};
    // What a board measured of it that then went took its time all the same.
    const std::string step_id = IdOf(step, on);
    for (int number = 0; logged_.contains(SeriesId(step_id, number)); ++number) {
      outcome.board_seconds += SecondsOf(SeriesId(step_id, number));
    }
    return outcome;
  }
  const auto measured = [&](const StepRequest& request) -> Result<StepRows> {
    Result<StepRows> rows = RowsOf(request.measurement_id);
    if (rows.ok() && logged_.at(request.measurement_id).on != on) {
      return DataCorrupt("measurement " + request.measurement_id + " is of class \"" +
                         logged_.at(request.measurement_id).on + "\", its step of \"" + on + "\"");
    }
    if (rows.ok()) outcome.board_seconds += rows->seconds;
    return rows;
  };
  const std::string id = IdOf(step, on);
  const std::string series = LastSeriesOf(id);
  const Result<StepRows> rows = MeasureStep(series, measured);
  if (!rows.ok()) return rows.status();
  // What a board measured that then went took its time all the same.
  for (int number = 0; SeriesId(id, number) != series; ++number) {
    outcome.board_seconds += SecondsOf(SeriesId(id, number));
  }
  outcome.board = logged_.at(rows->candidate.measurement_id).board;
  if (!rows->HasNumbers()) {
    outcome.result = CandidateFailed{rows->candidate.status + ": " + rows->candidate.detail};
    return outcome;
  }
  const MedianInterval ratio = rows->Ratio();
  Measured result;
  result.ratio = ratio.median;
  result.ratio_low = ratio.low;
  result.ratio_high = ratio.high;
  result.is_noisy = rows->IsNoisy();
  if (rows->energy.measured) {
    result.energy_ratio = rows->energy.measured->value;
    result.energy_ratio_uncertainty = rows->energy.measured->uncertainty;
  }
  result.model_energy_ratio = rows->energy.model;
  outcome.result = result;
  return outcome;
}

Result<const Network*> StepBoard::Uniform8() {
  if (!uniform8_) {
    const Result<std::string> bytes = files_.Get(uniform8_file_);
    if (!bytes.ok()) return bytes.status();
    Result<Network> network = ParseNetwork(*bytes);
    if (!network.ok()) return network.status().WithContext(uniform8_file_.file);
    uniform8_ = std::move(*network);
  }
  return &*uniform8_;
}

}  // namespace bitpilot
