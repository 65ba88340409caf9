// Journal: the one path through which a search decides and observes, so that running, resuming and
// verifying are the same code.
//
//   recording   Decide() and Observe() append to the study.
//   replaying   while the study still holds events that this process has not consumed, Decide()
//               recomputes and compares, and Observe() answers from the log without measuring or
//               training.
//
// A resume replays what is logged and then records; a verification replays and stops where the log
// ends.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

class Journal {
 public:
  enum class AtEnd : std::uint8_t {
    kRecord,  // append from there: a new search, or a resume
    kStop,    // fail with kAborted: a verification
  };

  // Reads what `study` already holds, after its "config" event. `study` must outlive the journal.
  //
  // Errors: kVersionMismatch if another bitpilot began the log, by other rules.
  static Result<Journal> Open(Study& study, AtEnd at_end);

  // True while logged events are left: the next Observe() is answered from the log.
  bool replaying() const { return !pending_.empty(); }

  // True if the next observation has to be made, and may be.
  bool recording() const { return !replaying() && at_end_ == AtEnd::kRecord; }

  // True in a verification, which believes nothing that it can recompute.
  bool verifies() const { return at_end_ == AtEnd::kStop; }

  // True if the last event was answered from the log, also where that ended with it.
  bool last_was_logged() const { return last_was_logged_; }

  // Kind of the next logged event; empty where none is left.
  std::string_view next_kind() const;

  // Sequence number of the last logged "policy" event; 0 if there is none.
  std::int64_t last_policy_seq() const { return last_policy_seq_; }

  // The id of the measurement that the log goes on with, if it does with one.
  std::optional<std::string> NextMeasurementId() const;

  // True if the log goes on with that measurement.
  bool ReplaysMeasurement(const std::string& measurement_id) const;

  // Sequence number of the last event answered from the log; 0 before the first.
  std::int64_t seq() const { return seq_; }

  // A decision, recomputed from what was observed so far. Event is a struct of
  // agent/study/events.h. A proposal's reason is not compared.
  //
  // Errors:
  //   kDataCorrupt  the log holds another event here: the message names its seq, what was logged
  //                 and recomputed.
  //   kAborted      the log ended (kStop only; IsEndOfLog() tells).
  template <typename Event>
  Status Decide(const Event& decision) {
    if (!replaying()) {
      BITPILOT_RETURN_IF_ERROR(RequireRecording());
      return Append(std::string(Event::kKind), ToJson(decision));
    }
    const Result<Event> logged = TakeEvent<Event>();
    if (!logged.ok()) return logged.status();
    return Compare(ToJson(WithoutProse(*logged)), ToJson(WithoutProse(decision)));
  }

  // Something the world told: from the log, or from `observe`, which runs only when recording.
  //
  // recompute: gives a logged event anew, from what only the event itself knows and all that the
  // log holds before it. The two must be equal.
  //
  // Errors: as Decide(), and whatever `observe` (then nothing is appended) and `recompute` return.
  template <typename Event>
  Result<Event> Observe(const std::function<Result<Event>()>& observe,
                        const std::function<Result<Event>(const Event&)>& recompute = {}) {
    if (replaying()) {
      Result<Event> logged = TakeEvent<Event>();
      if (!logged.ok() || !recompute) return logged;
      const Result<Event> again = recompute(*logged);
      if (!again.ok()) return again.status().WithContext("seq " + std::to_string(seq_));
      BITPILOT_RETURN_IF_ERROR(Compare(ToJson(*logged), ToJson(*again)));
      return logged;
    }
    BITPILOT_RETURN_IF_ERROR(RequireRecording());
    BITPILOT_RETURN_IF_ERROR(Heartbeat());
    Result<Event> event = observe();
    if (event.ok()) BITPILOT_RETURN_IF_ERROR(Append(std::string(Event::kKind), ToJson(*event)));
    return event;
  }

  // The next logged event as it is.
  //
  // Errors: kDataCorrupt if it is of another kind. REQUIRES: replaying().
  template <typename Event>
  Result<Event> Take() {
    return TakeEvent<Event>();
  }

  // Compares what was Take()n with what it must be.
  //
  // Errors: kDataCorrupt, as Decide().
  template <typename Event>
  Status CheckTaken(const Event& logged, const Event& recomputed) const {
    return Compare(ToJson(WithoutProse(logged)), ToJson(WithoutProse(recomputed)));
  }

  // The row of a measurement that was Take()n, its figures those of its windows.
  //
  // Errors: kDataCorrupt if it is missing, or is not.
  Result<MeasurementRow> LoggedRow(const std::string& measurement_id) const;

  // What a measurement that is to be stored under this id is called where a board keeps its answer
  // (MeasureJob::name): another one for every study.
  std::string RequestName(const std::string& measurement_id) const;

  // What a board answered to one request, all or none. REQUIRES: recording().
  Status AppendRows(const std::vector<MeasurementRow>& rows);

  // The same as Observe() for a board's answer to one request, whose windows live in rows of their own: one row
  // a network, stored all or none. The rows that `measure` returns must carry `measurement_ids`,
  // which are unique in the study and the same in every replay.
  Result<std::vector<MeasurementRow>> ObserveMeasurements(
      const std::vector<std::string>& measurement_ids,
      const std::function<Result<std::vector<MeasurementRow>>()>& measure);

  // The next logged event, if it registers a file beside the study; nullopt if it is another one.
  Result<std::optional<ArtifactEvent>> TakeArtifact();

  // Tells whether this process may still write the study, before minutes are spent on what would be
  // appended. Observe() and ObserveMeasurements() begin with it. REQUIRES: recording().
  //
  // Errors: as Study::Heartbeat().
  Status Heartbeat();

  // Registers a file beside the study (Study::PutArtifact).
  //
  // REQUIRES: recording().
  Status PutArtifact(const ArtifactEvent& artifact);

  // Notes which bitpilot writes from here on. Replays skip such events: they decide nothing.
  Status NoteAgent(const std::string& build, const std::string& solver);

  // Notes that a resume goes on under another CPU class. Replays skip such events: they decide
  // nothing.
  Status NoteClassChange(const std::string& cpu_class);

  // Notes where a resume found what the study names: keys of the configuration. As above.
  Status NotePlaces(const nlohmann::json& places);

 private:
  Journal(Study& study, std::string study_id, AtEnd at_end, std::deque<Event> pending);

  template <typename Event>
  static Event WithoutProse(Event event) {
    if constexpr (requires {
                    event.origin;
                    event.reason;
                  })
      event.reason.clear();
    return event;
  }

  template <typename Event>
  Result<Event> TakeEvent() {
    const Result<std::string> payload = TakePayload(std::string(Event::kKind));
    if (!payload.ok()) return payload.status();
    Result<Event> event = ParseEvent<Event>(*payload);
    if (!event.ok()) return event.status().WithContext("seq " + std::to_string(seq_));
    return event;
  }
  // Both are JSON that ToJson() wrote: another version may space or order the same object
  // differently.
  Status Compare(const std::string& logged, const std::string& recomputed) const;
  // Payload of the next logged event, which must be of `kind`.
  Result<std::string> TakePayload(const std::string& kind);
  Status Append(const std::string& kind, const std::string& payload);
  Status RequireRecording() const;

  Study* study_;
  std::string study_id_;
  AtEnd at_end_;
  std::deque<Event> pending_;
  std::int64_t last_policy_seq_ = 0;
  std::int64_t seq_ = 0;
  bool last_was_logged_ = false;
};

// What resumes of `study` noted by NotePlaces(): of each key the last word.
Result<nlohmann::json> NotedPlaces(const Study& study);

// What a verification ends with.
Status EndOfLog();

// True if `status` says that a verification reached the end of the log: success, not failure.
bool IsEndOfLog(const Status& status);

}  // namespace bitpilot
