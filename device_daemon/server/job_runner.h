// JobRunner: carries out one job at a time for DaemonCore.
//
// Most jobs are one question to the worker. A measurement with energy has two: first its latencies,
// while nothing reads the source; then, with the recorder running, the same networks back to back
// for as long as the source needs. What fails in the second part leaves the latencies as they are
// and is the reason why there is no energy; unless the worker fails or an output is wrong then:
// such a network has earned no latency either.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "device_daemon/core/daemon_events.h"
#include "device_daemon/energy/energy_recorder.h"
#include "device_daemon/worker/worker_process.h"

namespace bitpilot {

// What measures a board's energy.
struct EnergySetup {
  std::unique_ptr<EnergyRecorder> recorder;  // Null: nothing measures.
  std::string reason;                        // Set exactly without a recorder.
  double tolerance = 0.0;                    // AttachEnergy()'s.
};

// How long the energy phase of `request` takes; 0 without one.
daemon::Milliseconds EnergyPhaseDuration(const v1::MeasureRequest& request,
                                         const EnergySourceInfo& source);

// Not thread-safe: use it where the io_context runs.
class JobRunner {
 public:
  // Receives WorkerProgressed, WorkerAnswered and WorkerFailed of whole jobs.
  using Handler = std::function<void(const daemon::Event&)>;

  JobRunner(boost::asio::io_context& io, WorkerCommand command, WorkerMemory memory,
            EnergySetup energy, Handler handler);

  // REQUIRES: the last job was answered or has failed.
  void Start(daemon::JobId job, const Message& request);

  // Ends the job, which then fails; an answer under way is dropped.
  void Stop(daemon::JobId job);

 private:
  enum class Stage { kFirstAnswer, kSourceStarts, kEnergyPhase, kSourceFinishes };
  struct Job {
    daemon::JobId id = 0;
    Stage stage = Stage::kFirstAnswer;
    v1::MeasureRequest measure;  // Set if its energy is to be measured.
    v1::MeasureResult result;    // The latencies, once they are known.
    v1::EnergyRunResult run;
  };

  void OnWorker(const daemon::Event& event);
  void OnAnswer(daemon::WorkerAnswered answer);
  void StartSource(v1::MeasureResult latencies);
  void OnSourceStarted(daemon::JobId id, const Status& status);
  void OnEnergyRun(daemon::WorkerAnswered answer);
  void OnSourceFinished(daemon::JobId id, const Result<EnergyTrace>& trace);
  void DropRecording();
  void Refuse(const std::string& reason);
  void Answer(Message reply);

  boost::asio::io_context& io_;
  EnergySetup energy_;
  Handler handler_;
  std::optional<Job> job_;
  WorkerProcess worker_;
};

}  // namespace bitpilot
