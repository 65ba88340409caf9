// JobRunner: carries out one job at a time for DaemonCore.
//
// A measurement begins when no other daemon of the machine measures (machine_turn.h): until then
// its progress says kTurnPhase (proto/phases.h), and its conditions say afterwards how long that
// took. Its turn ends with the job. Inference takes no turn.
//
// Most jobs are one question to the worker. A measurement with energy has two: first its latencies,
// while nothing reads the source; then, with the recorder running, the same networks back to back
// for as long as the source needs. What fails in the second part leaves the latencies as they are
// and is the reason why there is no energy; unless the worker fails or an output is wrong then:
// such a network has earned no latency either.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "device_daemon/core/daemon_events.h"
#include "device_daemon/energy/energy_recorder.h"
#include "device_daemon/server/machine_turn.h"
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

  // takes_turns: measurements are of this machine, and not a model's answers.
  JobRunner(boost::asio::io_context& io, WorkerCommand command, WorkerMemory memory,
            EnergySetup energy, bool takes_turns, Handler handler);

  // REQUIRES: the last job was answered or has failed.
  void Start(daemon::JobId job, const Message& request);

  // Ends the job, which then fails; an answer under way is dropped.
  void Stop(daemon::JobId job);

 private:
  enum class Stage { kTurn, kFirstAnswer, kSourceStarts, kEnergyPhase, kSourceFinishes };
  struct Job {
    daemon::JobId id = 0;
    Stage stage = Stage::kFirstAnswer;
    Message request;  // Until it has its turn.
    std::chrono::steady_clock::time_point asked_at;
    double turn_wait_ms = 0.0;
    int turn_looks = 0;
    v1::MeasureRequest measure;  // Set if its energy is to be measured.
    v1::MeasureResult result;    // The latencies, once they are known.
    v1::EnergyRunResult run;
  };

  void AskForTurn();
  void EndJob();
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
  const bool takes_turns_;
  MachineTurn turn_;
  boost::asio::steady_timer turn_timer_;
  std::optional<Job> job_;
  WorkerProcess worker_;
};

}  // namespace bitpilot
