#include "agent/session/board_pools.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "agent/fleet/class_name.h"
#include "agent/fleet/measure_parts.h"
#include "agent/fleet/stopped.h"
#include "agent/session/reference_networks.h"
#include "agent/study/measurement_rows.h"
#include "kernels/base/check.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

using State = ClassMember::State;

constexpr std::chrono::milliseconds kPoll{50};
// A board that is slower by more than this is worth a word, though its ratios agree.
constexpr double kNotableFactor = 1.03;

bool IsThere(const ClassMember& member) {
  return member.state == State::kWaits || member.state == State::kWorks;
}

}  // namespace

BoardPools::BoardPools(const SearchConfig& config, const Topology& topology, ClassBoards* boards,
                       Journal& journal, SearchObserver& observer, std::function<bool()> stop,
                       const BoardPoolTimes& times)
    : config_(config),
      topology_(topology),
      boards_(boards),
      journal_(journal),
      observer_(observer),
      stop_(std::move(stop)),
      times_(times) {
  int class_number = 0;
  for (const ClassId& on : ClassesOf(config)) {
    classes_.push_back({ClassPool(on, ++class_number, [this](const std::string& row_id) {
      return journal_.LoggedRow(row_id);
    })});
  }
}

BoardPools::~BoardPools() {
  for (Class& one : classes_) {
    for (const auto& [number, board] : one.measuring) boards_->GiveUpOne(number);
  }
}

BoardPools::Class* BoardPools::Find(const std::function<bool(const Class&)>& is_it) {
  const auto found = std::find_if(classes_.begin(), classes_.end(), is_it);
  return found == classes_.end() ? nullptr : &*found;
}

bool BoardPools::Class::IsMeasuring(const std::string& board) const {
  return std::any_of(measuring.begin(), measuring.end(),
                     [&](const auto& each) { return each.second.board == board; });
}

bool BoardPools::Class::MustRest(const std::string& board) const {
  const auto rest = not_before.find(board);
  return rest != not_before.end() && Clock::now() < rest->second;
}

// ---- From the log

bool BoardPools::IsNext() const {
  if (!journal_.replaying()) return false;
  if (journal_.next_kind() == CalibrationEvent::kKind) return true;
  const std::optional<std::string> id = journal_.NextMeasurementId();
  return id && IsCalibration(*id);
}

Status BoardPools::ReplayNext(bool trusts_log) {
  const auto where = [this] { return "seq " + std::to_string(journal_.seq()); };
  if (journal_.next_kind() != CalibrationEvent::kKind) {
    const Result<MeasurementEvent> row = journal_.Take<MeasurementEvent>();
    if (!row.ok()) return row.status();
    const std::string id = CalibrationIdOf(row->measurement_id);
    Class* one = Find([&](const Class& each) { return each.pool.IsOwn(id); });
    if (one == nullptr) return DataCorrupt(where() + ": measurement " + id + " is of no class");
    one->pool.NoteRow(id);
    return Status();
  }
  const Result<CalibrationEvent> event = journal_.Take<CalibrationEvent>();
  if (!event.ok()) return event.status();
  Class* one = Find([&](const Class& each) { return each.pool.on() == event->on; });
  if (one == nullptr) {
    return DataCorrupt(where() + ": class \"" + event->on + "\" is none of the search's");
  }
  if (!trusts_log) {
    std::vector<ClassPool::Asked> boards;
    for (const CalibratedBoard& board : event->boards) {
      boards.push_back({board.board, board.measurements});
    }
    const Result<CalibrationEvent> again = one->pool.Judge(boards);
    if (!again.ok()) return again.status().WithContext(where());
    BITPILOT_RETURN_IF_ERROR(journal_.CheckTaken(*event, *again));
  }
  one->pool.Take(*event);
  return Status();
}

// ---- Boards

Status BoardPools::Settle() {
  while (IsNext()) BITPILOT_RETURN_IF_ERROR(ReplayNext());
  if (boards_ == nullptr) return Status();
  for (Class& one : classes_) {
    const Result<std::vector<Present>> present = PresentOf(one);
    if (!present.ok()) return present.status();
    Reconcile(one, *present);
  }
  if (!journal_.recording()) return Status();
  const auto is_unjudged = [this](const Class& one) {
    return !one.pool.last() && !boards_->Members(one.pool.on()).empty();
  };
  if (Find(is_unjudged) != nullptr) {
    observer_.OnPhase("comparing the boards of each class by the same networks", 0);
  }
  while (Find(is_unjudged) != nullptr) {
    if (stop_ && stop_()) return Stopped();
    BITPILOT_RETURN_IF_ERROR(journal_.Heartbeat());
    BITPILOT_RETURN_IF_ERROR(Step());
    for (const Class& one : classes_) BITPILOT_RETURN_IF_ERROR(CheckIsNotAlone(one));
    if (!is_measuring()) {
      std::this_thread::sleep_for(kPoll);
      continue;
    }
    Result<std::optional<ClassAnswer>> answer = boards_->WaitForAnswer();
    if (!answer.ok()) return answer.status();
    if (*answer && IsOwn((*answer)->number)) {
      BITPILOT_RETURN_IF_ERROR(Take(std::move(**answer)));
    }
  }
  return Status();
}

Status BoardPools::CheckIsNotAlone(const Class& one) const {
  const bool is_late = !one.pool.last() && times_.max_wait && one.alone_since &&
                       Clock::now() - *one.alone_since >= *times_.max_wait;
  if (!is_late) return Status();
  return {StatusCode::kUnavailable, ClassLabel(one.pool.on()) + " had no board that works for " +
                                        std::to_string(times_.max_wait->count() / 1000) +
                                        " s (--max-wait), before its boards were compared"};
}

Status BoardPools::Step() {
  if (boards_ == nullptr) return Status();
  for (Class& one : classes_) BITPILOT_RETURN_IF_ERROR(StepClass(one));
  return Status();
}

Status BoardPools::StepClass(Class& one) {
  Result<std::vector<Present>> found = PresentOf(one);
  if (!found.ok()) return found.status();
  std::vector<Present>& boards = *found;
  if (boards.empty()) return Status();
  const auto now = Clock::now();
  Reconcile(one, boards);
  const auto waits = [](const Present& board) {
    return board.member.state == State::kWaits && board.verdict == nullptr;
  };
  const bool any_waits = std::any_of(boards.begin(), boards.end(), waits);
  if (!any_waits) one.first_seen.reset();
  if (any_waits && !one.first_seen) one.first_seen = now;
  const bool any_works = std::any_of(boards.begin(), boards.end(), [](const Present& board) {
    return board.member.state == State::kWorks;
  });
  if (any_works || any_waits) one.alone_since.reset();
  if (!any_works && !any_waits && !one.alone_since) one.alone_since = now;
  if (IsGathering(one, boards)) return Status();
  for (const Present& board : boards) {
    const bool is_new = waits(board) && board.measurements.empty();
    const std::string& name = board.member.name;
    if (!is_new || one.IsMeasuring(name) || one.MustRest(name)) continue;
    // The others run by the kernels that the first one finds.
    if (one.pool.num_networks() == 0 && !one.measuring.empty()) break;
    BITPILOT_RETURN_IF_ERROR(Start(one, board, boards));
  }
  if (!one.measuring.empty() && now - *one.asked < times_.patience) return Status();
  std::vector<Present> judged;
  const bool is_last_resort = NeedsLastResort(one, boards);
  for (const Present& board : boards) {
    const bool takes_part =
        is_last_resort ? board.member.state == State::kLeftOut : IsThere(board.member);
    if (takes_part && !board.measurements.empty()) judged.push_back(board);
  }
  const bool is_due = is_last_resort || std::any_of(judged.begin(), judged.end(), waits) ||
                      // One that belongs to the class is back, beside one that does not.
                      (one.pool.last() && one.pool.last()->is_last_resort &&
                       std::any_of(judged.begin(), judged.end(), [](const Present& board) {
                         return board.verdict != nullptr && board.verdict->board.is_pooled &&
                                !board.verdict->by.is_last_resort;
                       }));
  if (judged.empty() || !is_due) return Status();
  return Judge(one, judged);
}

Status BoardPools::StepAlone() {
  BITPILOT_RETURN_IF_ERROR(Step());
  while (is_measuring()) {
    Result<std::optional<ClassAnswer>> answer = boards_->TakeAnswer();
    if (!answer.ok()) return answer.status();
    if (!*answer) break;
    BITPILOT_CHECK(IsOwn((*answer)->number));
    BITPILOT_RETURN_IF_ERROR(Take(std::move(**answer)));
  }
  return Status();
}

Result<std::vector<BoardPools::Present>> BoardPools::PresentOf(Class& one) {
  std::vector<Present> boards;
  for (ClassMember& member : boards_->Members(one.pool.on())) {
    Present board{std::move(member)};
    if (board.member.info) {
      Result<std::vector<std::string>> measurements =
          one.pool.MeasurementsOf(board.member.name, *board.member.info);
      if (!measurements.ok()) return measurements.status();
      board.measurements = std::move(*measurements);
      board.verdict = one.pool.VerdictOf(board.member.name, board.measurements);
    }
    boards.push_back(std::move(board));
  }
  return boards;
}

void BoardPools::Reconcile(Class& one, const std::vector<Present>& boards) {
  const ClassId& on = one.pool.on();
  const Present* first = nullptr;
  const Present* reference = nullptr;
  for (const Present& board : boards) {
    if (board.verdict == nullptr) continue;
    const bool is_pooled = board.verdict->board.is_pooled;
    const bool must_tell =
        is_pooled ? board.member.state == State::kWaits || board.member.state == State::kLeftOut
                  : IsThere(board.member);
    if (must_tell) {
      CalibrationEvent by = board.verdict->by;
      boards_->Judge(on, board.member, is_pooled,
                     is_pooled ? "" : DescribeCalibration(by, board.verdict->board));
    }
    if (!is_pooled || board.member.state == State::kAway) continue;
    if (first == nullptr) first = &board;
    if (board.member.name == board.verdict->by.reference) reference = &board;
  }
  if (first == nullptr) return;
  // What is measured apart, as the table is, is of a board that measures for the class, too.
  const std::string own = boards_->BoardOf(on).listed_name();
  const bool is_of_class = std::any_of(boards.begin(), boards.end(), [&](const Present& board) {
    return board.member.name == own && board.verdict != nullptr && board.verdict->board.is_pooled &&
           board.member.state != State::kAway;
  });
  if (!is_of_class) boards_->Prefer(on, (reference != nullptr ? reference : first)->member.name);
}

bool BoardPools::IsGathering(Class& one, const std::vector<Present>& boards) const {
  if (one.pool.last() || !one.measuring.empty() || !one.first_seen) return false;
  const bool any_is_away = std::any_of(boards.begin(), boards.end(), [](const Present& board) {
    return board.member.state == State::kAway;
  });
  return any_is_away && Clock::now() - *one.first_seen < times_.gather;
}

bool BoardPools::NeedsLastResort(Class& one, const std::vector<Present>& boards) const {
  return one.alone_since && Clock::now() - *one.alone_since >= times_.last_resort &&
         one.measuring.empty() &&
         std::any_of(boards.begin(), boards.end(), [](const Present& board) {
           return board.member.state == State::kLeftOut && !board.measurements.empty();
         });
}

std::size_t BoardPools::NumNetworks(const Class& one, const std::vector<Present>& boards) const {
  if (one.pool.num_networks() > 0) return static_cast<std::size_t>(one.pool.num_networks());
  std::vector<const Network*> all;
  for (const Network& network : networks_) all.push_back(&network);
  std::size_t fitting = all.size();
  for (const Present& board : boards) {
    if (!IsThere(board.member) || !board.member.info) continue;
    fitting = std::min(fitting, PartsThatFit(all, board.member.info->limits).front().size());
  }
  return fitting;
}

Status BoardPools::Start(Class& one, const Present& board, const std::vector<Present>& boards) {
  if (networks_.empty()) {
    assignments_ = ReferenceAssignments(topology_, config_);
    networks_ = ReferenceNetworks(topology_, assignments_);
  }
  MeasureJob job;
  for (const Network& network : networks_) job.networks.push_back(&network);
  job.networks.resize(std::min(NumNetworks(one, boards), job.networks.size()));
  job.tier = Tier::kStandard;
  // What did not agree is measured again in windows twice as long, as what is NOISY is.
  job.window_doublings = static_cast<int>(board.measurements.size());
  const Result<MeasureNumber> number = boards_->StartToJudge(one.pool.on(), board.member.name, job);
  if (!number.ok()) return number.status();
  one.asked = Clock::now();
  one.measuring.emplace(*number, Measuring{board.member.name, job.networks.size()});
  return Status();
}

bool BoardPools::is_measuring() const {
  return std::any_of(classes_.begin(), classes_.end(),
                     [](const Class& one) { return !one.measuring.empty(); });
}

bool BoardPools::IsOwn(MeasureNumber number) const {
  return std::any_of(classes_.begin(), classes_.end(),
                     [&](const Class& one) { return one.measuring.contains(number); });
}

Status BoardPools::Take(ClassAnswer answer) {
  Class* one = Find([&](const Class& each) { return each.measuring.contains(answer.number); });
  BITPILOT_CHECK(one != nullptr);
  const Measuring asked = one->measuring.extract(answer.number).mapped();
  if (answer.is_lost) {
    one->not_before[asked.board] = Clock::now() + times_.retry;
    return Status();
  }
  const std::string id = one->pool.NextId();
  std::vector<MeasuredCandidate> candidates;
  for (std::size_t k = 0; k < asked.networks; ++k) {
    candidates.push_back({CalibrationRowId(id, static_cast<int>(k)), assignments_[k]});
  }
  const std::vector<MeasurementRow> rows = ToRows(answer.measurement, Tier::kStandard, answer.board,
                                                  candidates, {one->pool.on(), answer.board_name});
  BITPILOT_RETURN_IF_ERROR(journal_.AppendRows(rows));
  boards_->Recorded(answer.number);
  for (std::size_t k = 0; k < rows.size(); ++k) one->pool.NoteRow(id);
  return Status();
}

Status BoardPools::Judge(Class& one, const std::vector<Present>& boards) {
  std::vector<ClassPool::Asked> asked;
  for (const Present& board : boards) asked.push_back({board.member.name, board.measurements});
  // A board that was left out and is asked for want of another one was measured often enough.
  const bool may_repeat = std::all_of(boards.begin(), boards.end(),
                                      [](const Present& board) { return IsThere(board.member); });
  Result<std::vector<std::size_t>> again = one.pool.ToRepeat(asked);
  if (!again.ok()) return again.status();
  const bool is_new = std::any_of(again->begin(), again->end(),
                                  [&](std::size_t i) { return boards[i].verdict == nullptr; });
  bool is_repeated = false;
  for (const std::size_t i : *again) {
    const std::string& name = boards[i].member.name;
    if (!may_repeat || !is_new || one.IsMeasuring(name) || one.MustRest(name)) continue;
    BITPILOT_RETURN_IF_ERROR(Start(one, boards[i], boards));
    is_repeated = true;
  }
  if (is_repeated) return Status();
  const std::optional<CalibrationEvent> before = one.pool.last();
  const Result<CalibrationEvent> event =
      journal_.Observe<CalibrationEvent>([&] { return one.pool.Judge(asked); });
  if (!event.ok()) return event.status();
  one.pool.Take(*event);
  one.alone_since.reset();
  Tell(*event, before);
  Result<std::vector<Present>> present = PresentOf(one);
  if (!present.ok()) return present.status();
  Reconcile(one, *present);
  return Status();
}

void BoardPools::Tell(const CalibrationEvent& event,
                      const std::optional<CalibrationEvent>& before) {
  for (const CalibratedBoard& board : event.boards) {
    const bool was_told =
        before && before->is_last_resort == event.is_last_resort &&
        std::any_of(before->boards.begin(), before->boards.end(), [&](const auto& earlier) {
          return earlier.board == board.board && earlier.is_pooled == board.is_pooled &&
                 earlier.measurements == board.measurements;
        });
    const bool is_notable =
        !board.is_pooled || !board.agreement || event.is_last_resort ||
        std::max(board.agreement->factor, 1.0 / board.agreement->factor) > kNotableFactor;
    if (!was_told && is_notable) observer_.OnNotice(DescribeCalibration(event, board));
  }
}

std::vector<CalibrationEvent> BoardPools::Decisions() const {
  std::vector<CalibrationEvent> decisions;
  for (const Class& one : classes_) {
    if (one.pool.last()) decisions.push_back(*one.pool.last());
  }
  return decisions;
}

}  // namespace bitpilot
