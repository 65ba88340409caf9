// What a running search counts, in Prometheus' text form: a file for the node exporter's textfile
// collector, so that nothing listens on a port (as bitpilotd's, device_daemon/server/metrics_file.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/results/search_observer.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Tells another observer all that it is told, and keeps the file up to date: at most once a second, and
// when it ends. A file that cannot be written is told once, as a notice; the search goes on.
class SearchMetrics final : public SearchObserver {
 public:
  // path: empty: no file. study: a label of every sample. next: outlives this object.
  SearchMetrics(std::string path, std::string study, SearchObserver& next);
  // Writes that nothing runs any more.
  ~SearchMetrics() override;

  // Writes the file for the first time.
  //
  // Errors: as WriteFileAtomically(); begin with the flag.
  Status Begin();

  void OnPhase(const std::string& name, int total) override;
  void OnProgress(int done, const std::string& note) override;
  void OnStep(const SearchProblem& problem, const ProposalEvent& proposal,
              const TransitionEvent& answer, double hypervolume) override;
  void OnNotice(const std::string& text) override;
  void OnDetail(const std::string& text) override;

  // The file's content as of now.
  std::string Text() const;

 private:
  using Clock = std::chrono::steady_clock;

  Status Write();
  void WriteIfDue();

  const std::string path_;
  const std::string study_;
  SearchObserver& next_;
  bool is_running_ = false;
  bool was_told_ = false;  // that the file cannot be written
  std::string phase_;
  int phase_total_ = 0;
  int phase_done_ = 0;
  std::map<std::string, std::uint64_t> steps_;  // by status, of this run of the program
  std::uint64_t notices_ = 0;
  std::optional<double> hypervolume_;
  std::map<std::string, double>
      latency_ns_;                       // by class, of the latest step that was measured there
  std::optional<std::int64_t> step_at_;  // seconds since 1970, of the latest step
  Clock::time_point written_;
};

}  // namespace bitpilot
