#include "agent/fleet/fleet_driver.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/fleet/steady_now.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStopPoll{100};
constexpr milliseconds kLongestPoll{1000};
constexpr int kEventsARound = 64;

Status StoppedWaiting() { return {StatusCode::kAborted, "stopped while waiting for the board"}; }

}  // namespace

FleetDriver::FleetDriver(fleet::FleetOptions options, Notice notice, BoardLocator::Means means,
                         Notice detail)
    : core_(std::move(options)),
      clock_(SteadyNow()),
      notice_(std::move(notice)),
      detail_(std::move(detail)),
      locator_([this] { hub_.Wake(); }, std::move(means)),
      thread_([this] { Run(); }) {}

FleetDriver::~FleetDriver() {
  Post(fleet::CloseRequested{});
  {
    std::unique_lock<std::mutex> lock(mutex_);
    WaitFor(lock, [this] { return has_ended_; }, {});
  }
  thread_.join();
}

// ---- Callers

fleet::BoardId FleetDriver::AddBoard(FleetBoard board) {
  fleet::BoardSpec spec;
  spec.client = board.client;
  spec.tags = board.tags;
  spec.has_power_cycle = !board.power_cycle.empty();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    spec.id = ++last_board_;
    added_.emplace(spec.id, std::move(board));
    known_[spec.id];
  }
  const fleet::BoardId id = spec.id;
  Post(fleet::BoardAdded{std::move(spec)});
  return id;
}

void FleetDriver::RemoveBoard(fleet::BoardId board) { Post(fleet::BoardRemoved{board}); }

void FleetDriver::TellKernels(const std::string& class_tag, std::string text) {
  Post(fleet::KernelChoicesKnown{class_tag, std::move(text)});
}

std::string FleetDriver::KernelsOf(const std::string& class_tag) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = kernels_.find(class_tag);
  return found == kernels_.end() ? "" : found->second;
}

void FleetDriver::Judge(fleet::BoardJudged judgement) { Post(std::move(judgement)); }

Result<BoardInfo> FleetDriver::WaitUntilReady(fleet::BoardId board, const Stop& stop) {
  std::unique_lock<std::mutex> lock(mutex_);
  const Known& known = known_.at(board);
  const bool is_known = WaitFor(
      lock, [&known] { return known.info || known.failure; }, stop);
  if (!is_known) return StoppedWaiting();
  if (!known.info) return *known.failure;
  return *known.info;
}

JobId FleetDriver::Submit(fleet::JobSpec job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    job.request.id = ++last_job_;
    awaited_.insert(job.request.id);
  }
  const JobId id = job.request.id;
  Post(fleet::JobAdded{std::move(job)});
  return id;
}

Result<fleet::JobEnded> FleetDriver::Wait(JobId id, const Stop& stop) {
  std::unique_lock<std::mutex> lock(mutex_);
  BITPILOT_CHECK(awaited_.contains(id));
  if (!WaitFor(
          lock, [this, id] { return ended_.contains(id); }, stop)) {
    lock.unlock();
    Cancel(id);
    return StoppedWaiting();
  }
  awaited_.erase(id);
  return std::move(ended_.extract(id).mapped());
}

std::optional<fleet::JobEnded> FleetDriver::WaitForAny(const std::set<JobId>& jobs,
                                                       const Stop& stop) {
  std::unique_lock<std::mutex> lock(mutex_);
  std::optional<fleet::JobEnded> ended;
  WaitFor(
      lock, [&] { return (ended = Take(jobs)).has_value(); }, stop);
  return ended;
}

std::optional<fleet::JobEnded> FleetDriver::TakeEnded(const std::set<JobId>& jobs) {
  std::unique_lock<std::mutex> lock(mutex_);
  TellNotices(lock);
  return Take(jobs);
}

std::optional<fleet::JobEnded> FleetDriver::Take(const std::set<JobId>& jobs) {
  for (const JobId id : jobs) {
    const auto ended = ended_.find(id);
    if (ended == ended_.end()) continue;
    awaited_.erase(id);
    return std::move(ended_.extract(ended).mapped());
  }
  return std::nullopt;
}

void FleetDriver::Record(JobId job, int attempt) { Post(fleet::AttemptRecorded{job, attempt}); }

void FleetDriver::Cancel(JobId id) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    awaited_.erase(id);
    ended_.erase(id);
  }
  Post(fleet::JobDropped{id});
}

std::vector<fleet::BoardReport> FleetDriver::Boards() {
  std::unique_lock<std::mutex> lock(mutex_);
  reports_.reset();
  wants_reports_ = true;
  hub_.Wake();
  changed_.wait(lock, [this] { return reports_.has_value(); });
  return *reports_;
}

std::optional<BoardInfo> FleetDriver::InfoOf(fleet::BoardId board) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return known_.at(board).info;
}

std::optional<fleet::BoardId> FleetDriver::WhoKnows(const std::string& measure_id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = who_knows_.find(measure_id);
  return found == who_knows_.end() ? std::nullopt : std::optional(found->second);
}

void FleetDriver::TellNotices(std::unique_lock<std::mutex>& lock) {
  // One board has no others to wait for, and at the end nothing more comes.
  const std::vector<NoticeGroups::Told> notices =
      notices_.Take(SteadyNow(), last_board_ < 2 || has_ended_);
  lock.unlock();
  for (const NoticeGroups::Told& told : notices) {
    if (notice_ && !told.summary.empty()) notice_(told.summary);
    const Notice& tell = told.summary.empty() ? notice_ : detail_;
    for (const std::string& text : told.texts) {
      if (tell) tell(text);
    }
  }
  lock.lock();
}

bool FleetDriver::WaitFor(std::unique_lock<std::mutex>& lock, const std::function<bool()>& done,
                          const Stop& stop) {
  for (;;) {
    const bool is_done = changed_.wait_for(lock, kStopPoll, done);
    TellNotices(lock);
    lock.unlock();
    const bool stopped = !is_done && stop && stop();
    lock.lock();
    if (is_done || stopped) return is_done;
  }
}

void FleetDriver::Post(fleet::Event event) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted_.push_back(std::move(event));
  }
  hub_.Wake();
}

std::optional<fleet::Event> FleetDriver::TakePosted() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (posted_.empty()) return std::nullopt;
  fleet::Event event = std::move(posted_.front());
  posted_.pop_front();
  return event;
}

// ---- The fleet's thread

void FleetDriver::Run() {
  while (!is_closed_) {
    while (std::optional<fleet::Event> event = TakePosted()) StepPosted(std::move(*event));
    TakeAnswers();
    LookAfterHooks();
    TellReports();
    if (is_closed_) break;
    const milliseconds limit = TimeToWait();
    clock_.BeginWait(SteadyNow(), limit);
    TakeLinkEvents(hub_.Wait(limit));
    clock_.EndWait(SteadyNow());
    // Only now: what a board said in time counts, however late it was read.
    const std::optional<Instant> wakeup = core_.NextWakeup();
    if (wakeup && *wakeup <= Now()) Step(fleet::TimePassed{});
  }
  driven_.clear();
  FinishHooks();
}

Instant FleetDriver::Now() const { return clock_.Time(SteadyNow()); }

milliseconds FleetDriver::TimeToWait() const {
  milliseconds time = kLongestPoll;
  if (const std::optional<Instant> wakeup = core_.NextWakeup()) {
    time = std::clamp(*wakeup - Now(), milliseconds{0}, time);
  }
  return power_hooks_.empty() ? time : std::min(time, PowerHook::kPoll);
}

void FleetDriver::Step(fleet::Event event) {
  if (const auto* added = std::get_if<fleet::BoardAdded>(&event)) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Driven& driven = driven_[added->spec.id];
    driven.board = std::move(added_.extract(added->spec.id).mapped());
    driven.link = std::make_unique<ZmqLink>(hub_);
    boards_of_links_[driven.link.get()] = added->spec.id;
  }
  own_events_.push_back(std::move(event));
  StepOwnEvents();
}

void FleetDriver::StepOwnEvents() {
  while (!own_events_.empty()) {
    fleet::Event next = std::move(own_events_.front());
    own_events_.pop_front();
    for (fleet::Action& action : core_.Step(std::move(next), Now())) {
      std::visit([this](auto& one) { Do(one); }, action);
    }
  }
}

void FleetDriver::TellReports() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!std::exchange(wants_reports_, false)) return;
  reports_ = core_.Boards(Now());
  changed_.notify_all();
}

void FleetDriver::TakeLinkEvents(const std::vector<ZmqLink*>& links) {
  for (ZmqLink* link : links) {
    const auto board = boards_of_links_.find(link);
    if (board == boards_of_links_.end()) continue;  // it is gone since
    const fleet::BoardId id = board->second;
    // What is left of a board that floods us waits for the next round: others come first.
    for (int i = 0; i < kEventsARound && driven_.contains(id); ++i) {
      std::optional<ClientEvent> event = link->Next();
      if (!event) break;
      // Perhaps another machine has the address now.
      if (std::holds_alternative<LinkRefused>(*event)) driven_.at(id).place.reset();
      Step(fleet::LinkEvent{id, std::move(*event)});
    }
  }
}

void FleetDriver::TakeAnswers() {
  while (std::optional<BoardLocator::Answer> answer = locator_.TakeAnswer()) {
    const auto found = driven_.find(answer->board);
    if (found == driven_.end()) continue;
    Driven& driven = found->second;
    if (answer->place.ok() && driven.board.address) driven.place = *answer->place;
    if (!std::exchange(driven.awaits_place, false)) continue;
    own_events_.emplace_back(fleet::LinkEvent{found->first, LinkLocated{}});
    Connect(found->first, driven, answer->place, answer->is_final);
    StepOwnEvents();
  }
}

void FleetDriver::Do(fleet::LinkAction& action) {
  Driven& driven = driven_.at(action.board);
  if (std::holds_alternative<OpenLink>(action.action)) {
    OpenLinkOf(action.board, driven);
  } else if (std::holds_alternative<CloseLink>(action.action)) {
    driven.awaits_place = false;
    driven.link->Close();
  } else {
    driven.link->Send(std::get<SendMessage>(action.action).message);
  }
}

void FleetDriver::OpenLinkOf(fleet::BoardId id, Driven& driven) {
  driven.awaits_place = false;
  const std::optional<BoardAddress>& address = driven.board.address;
  if (address) {
    const Result<BoardPlace> place = BoardLocator::PlaceOfAddress(*address);
    if (place.status().code() != StatusCode::kNotFound) return Connect(id, driven, place, true);
  }
  locator_.Ask(id, address ? [address = *address] { return Result<BoardAddress>(address); }
                           : driven.board.locate);
  if (driven.place) return Connect(id, driven, *driven.place, true);
  driven.awaits_place = true;
  own_events_.emplace_back(fleet::LinkEvent{id, LinkLocating{}});
}

void FleetDriver::Connect(fleet::BoardId id, Driven& driven, const Result<BoardPlace>& place,
                          bool is_final) {
  Status status = place.status();
  if (place.ok()) {
    status = driven.link->Open(place->board, place->addresses, driven.board.keys);
    is_final = true;
  }
  if (status.ok()) return;
  if (is_final) {
    own_events_.emplace_back(fleet::LinkEvent{id, LinkImpossible{std::move(status)}});
  } else {
    own_events_.emplace_back(fleet::LinkEvent{id, LinkDown{status.message()}});
  }
}

// Nobody records a failed attempt by itself. Its board keeps the answer until the job's result is
// recorded: an agent that is started again meanwhile asks for this attempt again, is told how it ended,
// and goes on with the next one instead of measuring anew.
void FleetDriver::Do(fleet::AttemptEnded& action) {
  failed_attempts_[action.job].push_back(action.attempt);
}

void FleetDriver::RecordFailedAttempts(JobId job) {
  const auto failed = failed_attempts_.extract(job);
  if (failed.empty()) return;
  for (const int attempt : failed.mapped()) Step(fleet::AttemptRecorded{job, attempt});
}

void FleetDriver::StepPosted(fleet::Event event) {
  if (const auto* recorded = std::get_if<fleet::AttemptRecorded>(&event)) {
    RecordFailedAttempts(recorded->job);
  } else if (const auto* dropped = std::get_if<fleet::JobDropped>(&event)) {
    RecordFailedAttempts(dropped->job);  // nobody will ask again
  }
  Step(std::move(event));
}

void FleetDriver::Do(fleet::JobEnded& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const JobId id = action.result.id;
  if (!awaited_.contains(id)) return;
  ended_.emplace(id, std::move(action));
  changed_.notify_all();
}

void FleetDriver::Do(fleet::BoardChanged& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Known& known = known_[action.board];
  known.failure.reset();
  if (!action.failure.ok()) known.failure = std::move(action.failure);
  changed_.notify_all();
}

void FleetDriver::Do(fleet::BoardDescribed& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  known_[action.board].info = std::move(action.info);
  changed_.notify_all();
}

void FleetDriver::Do(fleet::MeasurementsKnown& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(who_knows_, [&](const auto& one) { return one.second == action.board; });
  for (std::string& id : action.measure_ids) who_knows_[std::move(id)] = action.board;
}

void FleetDriver::Do(fleet::KernelsChosen& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  kernels_[action.class_tag] = std::move(action.text);
}

void FleetDriver::Do(fleet::Notice& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  notices_.Add(std::move(action), SteadyNow());
}

void FleetDriver::Do(fleet::BoardGone& action) {
  locator_.Forget(action.board);
  const auto found = driven_.find(action.board);
  boards_of_links_.erase(found->second.link.get());
  driven_.erase(found);
}

}  // namespace bitpilot
