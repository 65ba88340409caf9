#include "agent/cli/search_metrics.h"

#include <ctime>
#include <optional>
#include <utility>

#include "agent/study/class_latency.h"
#include "kernels/base/file_io.h"
#include "kernels/base/prometheus_text.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr const char* kStatuses[] = {"measured", "failed", "diverged", "unavailable", "unmeasured"};

const char* NameOf(TransitionStatus status) {
  switch (status) {
    case TransitionStatus::kMeasured:
      return "measured";
    case TransitionStatus::kDiverged:
      return "diverged";
    case TransitionStatus::kUnavailable:
      return "unavailable";
    case TransitionStatus::kUnmeasured:
      return "unmeasured";
    case TransitionStatus::kRejected:
    case TransitionStatus::kFailed:
      break;
  }
  return "failed";
}

}  // namespace

SearchMetrics::SearchMetrics(std::string path, std::string study, SearchObserver& next)
    : path_(std::move(path)), study_(ToUtf8(study)), next_(next) {
  // Counters that appear at zero are counted from there.
  for (const char* status : kStatuses) steps_[status] = 0;
}

SearchMetrics::~SearchMetrics() {
  if (!is_running_) return;
  is_running_ = false;
  phase_.clear();
  (void)Write();
}

Status SearchMetrics::Begin() {
  if (path_.empty()) return {};
  is_running_ = true;
  return Write().WithContext("--metrics");
}

void SearchMetrics::OnPhase(const std::string& name, int total) {
  phase_ = name;
  phase_total_ = total;
  phase_done_ = 0;
  next_.OnPhase(name, total);
  WriteIfDue();
}

void SearchMetrics::OnProgress(int done, const std::string& note) {
  phase_done_ = done;
  next_.OnProgress(done, note);
  WriteIfDue();
}

void SearchMetrics::OnStep(const SearchProblem& problem, const ProposalEvent& proposal,
                           const TransitionEvent& answer, double hypervolume) {
  ++steps_[NameOf(answer.transition.status)];
  hypervolume_ = hypervolume;
  for (const ClassOutcome& outcome : answer.classes) {
    if (const std::optional<double> ns = ClassLatencyNs(problem, outcome)) {
      latency_ns_[outcome.on] = *ns;
    }
  }
  step_at_ = std::time(nullptr);
  phase_done_ = proposal.step + 1;
  next_.OnStep(problem, proposal, answer, hypervolume);
  WriteIfDue();
}

void SearchMetrics::OnNotice(const std::string& text) {
  ++notices_;
  next_.OnNotice(text);
  WriteIfDue();
}

void SearchMetrics::OnDetail(const std::string& text) { next_.OnDetail(text); }

std::string SearchMetrics::Text() const {
  PrometheusText text("bitpilot_search_", "study", study_);
  text.Gauge("running", "1 while the search runs.", is_running_ ? 1.0 : 0.0);
  if (!phase_.empty()) {
    text.Family("phase", "gauge", "1 for what it does now.");
    text.Sample(1.0, "phase", phase_);
    text.Gauge("phase_done", "Items of that which are done.", phase_done_);
    text.Gauge("phase_items", "All of them; 0 if that is not known.", phase_total_);
  }
  text.Family("steps_total", "counter",
              "Trials that were answered since this run of the search began, by status.");
  for (const auto& [status, count] : steps_) {
    text.Sample(static_cast<double>(count), "status", status);
  }
  text.Counter("notices_total", "What the search told its user.", notices_);
  if (hypervolume_) text.Gauge("hypervolume", "Of everything measured so far.", *hypervolume_);
  if (!latency_ns_.empty()) {
    text.Family(
        "latency_seconds", "gauge",
        "Of the latest trial that was measured on the class: its ratio to uniform 8 bit, times "
        "what that took before the search.");
    for (const auto& [on, ns] : latency_ns_) {
      on == kOnlyClass ? text.Sample(ns * 1e-9) : text.Sample(ns * 1e-9, "class", on);
    }
  }
  if (step_at_) {
    text.Gauge("latest_step_timestamp_seconds", "When the latest trial was answered.",
               static_cast<double>(*step_at_));
  }
  return text.Take();
}

Status SearchMetrics::Write() {
  written_ = Clock::now();
  return WriteFileAtomically(path_, Text(), 0644);
}

void SearchMetrics::WriteIfDue() {
  if (!is_running_ || Clock::now() - written_ < kInterval) return;
  const Status status = Write();
  if (status.ok() || std::exchange(was_told_, true)) return;
  next_.OnNotice("--metrics is out of date: " + status.message());
}

}  // namespace bitpilot
