#include "device_daemon/server/job_runner.h"

#include <algorithm>
#include <variant>

#include <boost/asio/post.hpp>

#include "device_daemon/energy/energy_estimate.h"
#include "device_daemon/measurement/energy_phase.h"
#include "device_daemon/server/energy_result.h"
#include "device_daemon/server/log.h"
#include "proto/phases.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

// Between two looks whether another daemon has finished: next to nothing beside a measurement.
constexpr std::chrono::milliseconds kTurnPause{100};
constexpr int kLooksAWord = 10;  // and between two signs of life meanwhile

bool HasNumbers(const v1::MeasureResult& result) {
  return result.status() == v1::OK || result.status() == v1::NOISY;
}

EnergyPlan PlanOf(const v1::MeasureRequest& request, const EnergySourceInfo& source) {
  return EnergyPlanFor(request.spec().tier(), MinWindowNs(source), source.period_ns);
}

Message EnergyRun(const v1::MeasureRequest& measure, const v1::MeasureResult& latencies,
                  const EnergyPlan& plan) {
  Message message;
  v1::EnergyRunRequest& run = *message.envelope.mutable_energy_run_request();
  *run.mutable_measure() = measure;
  for (const v1::NetworkMeasurement& network : latencies.networks()) {
    run.add_latency_ns(network.latency_median_ns());
  }
  run.set_rounds(static_cast<std::uint32_t>(plan.rounds));
  run.set_window_ns(static_cast<std::uint64_t>(plan.window_ns));
  run.set_idle_ns(static_cast<std::uint64_t>(plan.idle_ns));
  run.set_lead_ns(static_cast<std::uint64_t>(plan.lead_ns));
  return message;
}

}  // namespace

daemon::Milliseconds EnergyPhaseDuration(const v1::MeasureRequest& request,
                                         const EnergySourceInfo& source) {
  if (!request.spec().energy()) return daemon::Milliseconds{0};
  const std::int64_t duration_ns =
      PlanOf(request, source).DurationNs(request.network_sha256_size());
  return std::chrono::ceil<daemon::Milliseconds>(std::chrono::nanoseconds(duration_ns));
}

JobRunner::JobRunner(boost::asio::io_context& io, WorkerCommand command, WorkerMemory memory,
                     EnergySetup energy, bool takes_turns, Handler handler)
    : io_(io),
      energy_(std::move(energy)),
      handler_(std::move(handler)),
      takes_turns_(takes_turns),
      turn_timer_(io),
      worker_(io, std::move(command), std::move(memory),
              [this](const daemon::Event& event) { OnWorker(event); }) {}

void JobRunner::Start(daemon::JobId job, const Message& request) {
  BITPILOT_CHECK(!job_);
  job_ = Job{};
  job_->id = job;
  if (request.envelope.measure_request().spec().energy()) {
    job_->measure = request.envelope.measure_request();
  }
  if (!takes_turns_ || !request.envelope.has_measure_request()) {
    return worker_.Start(job, request);
  }
  job_->stage = Stage::kTurn;
  job_->request = request;
  job_->asked_at = std::chrono::steady_clock::now();
  AskForTurn();
}

void JobRunner::AskForTurn() {
  if (turn_.TryTake()) {
    job_->stage = Stage::kFirstAnswer;
    return worker_.Start(job_->id, std::exchange(job_->request, {}));
  }
  turn_timer_.expires_after(kTurnPause);
  turn_timer_.async_wait([this, id = job_->id](const boost::system::error_code& error) {
    if (error || !job_ || job_->id != id) return;
    const std::chrono::duration<double, std::milli> waited =
        std::chrono::steady_clock::now() - job_->asked_at;
    if (job_->turn_looks == 0) LogLine("waiting: " + std::string(kTurnPhase));
    job_->turn_wait_ms = waited.count();
    if (job_->turn_looks++ % kLooksAWord == 0) {
      daemon::WorkerProgressed waits{id, kTurnPhase, 0};
      waits.waits_for_turn = true;
      handler_(waits);
    }
    // Whoever heard of it may have stopped the job.
    if (job_ && job_->id == id) AskForTurn();
  });
}

void JobRunner::EndJob() {
  turn_timer_.cancel();
  turn_.GiveBack();
  job_.reset();
}

void JobRunner::Stop(daemon::JobId job) {
  if (!job_ || job_->id != job) return;
  if (job_->stage == Stage::kFirstAnswer || job_->stage == Stage::kEnergyPhase) {
    return worker_.Stop(job);  // Its failure comes back through OnWorker().
  }
  if (job_->stage == Stage::kSourceStarts) DropRecording();
  EndJob();
  // Not from within Stop(): its caller is in the middle of a step.
  boost::asio::post(io_, [this, job] {
    handler_(daemon::WorkerFailed{job, v1::CANCELLED, "stopped before or between its phases"});
  });
}

void JobRunner::OnWorker(const daemon::Event& event) {
  if (const auto* answered = std::get_if<daemon::WorkerAnswered>(&event)) {
    return OnAnswer(*answered);
  }
  if (const auto* progressed = std::get_if<daemon::WorkerProgressed>(&event)) {
    daemon::WorkerProgressed whole = *progressed;
    whole.waits_for_turn = false;
    const bool energy_follows = job_->stage == Stage::kFirstAnswer && energy_.recorder;
    if (energy_follows && whole.remaining.count() > 0) {
      whole.remaining += EnergyPhaseDuration(job_->measure, energy_.recorder->info());
    }
    return handler_(whole);
  }
  if (std::holds_alternative<daemon::WorkerFailed>(event)) {
    if (job_->stage == Stage::kEnergyPhase) DropRecording();
    EndJob();
  }
  handler_(event);
}

void JobRunner::OnAnswer(daemon::WorkerAnswered answer) {
  if (job_->stage == Stage::kEnergyPhase) return OnEnergyRun(std::move(answer));
  const bool wants_energy = job_->measure.network_sha256_size() > 0;
  const v1::MeasureResult& result = answer.reply.envelope.measure_result();
  if (!wants_energy || !HasNumbers(result) || !ValidateReply(answer.reply).ok() ||
      result.networks_size() != job_->measure.network_sha256_size()) {
    return Answer(std::move(answer.reply));
  }
  StartSource(result);
}

void JobRunner::StartSource(v1::MeasureResult latencies) {
  job_->result = std::move(latencies);
  if (!energy_.recorder) return Refuse(energy_.reason);
  const EnergyPlan plan = PlanOf(job_->measure, energy_.recorder->info());
  if (!FitsFrames(EnergyRun(job_->measure, job_->result, plan))) {
    return Refuse("the request is too large for an energy phase");
  }
  job_->stage = Stage::kSourceStarts;
  handler_(daemon::WorkerProgressed{job_->id, "energy source", 0});
  energy_.recorder->Start([this, id = job_->id](const Status& status) {
    boost::asio::post(io_, [this, id, status] { OnSourceStarted(id, status); });
  });
}

void JobRunner::OnSourceStarted(daemon::JobId id, const Status& status) {
  if (!job_ || job_->id != id) return;  // Stopped meanwhile.
  if (!status.ok()) {
    DropRecording();
    return Refuse(status.message());
  }
  job_->stage = Stage::kEnergyPhase;
  worker_.Start(
      id, EnergyRun(job_->measure, job_->result, PlanOf(job_->measure, energy_.recorder->info())));
}

void JobRunner::OnEnergyRun(daemon::WorkerAnswered answer) {
  if (answer.reply.envelope.energy_run_result().measure_id() != job_->measure.measure_id()) {
    DropRecording();
    return Answer(std::move(answer.reply));  // Whatever it is, it is no answer to a measurement.
  }
  v1::EnergyRunResult& run = *answer.reply.envelope.mutable_energy_run_result();
  if (run.status() != v1::OK) {
    DropRecording();
    job_->result.set_status(run.status());
    job_->result.set_detail(run.detail());
    *job_->result.mutable_damaged_sha256() = run.damaged_sha256();
    job_->result.clear_networks();
    Message reply;
    *reply.envelope.mutable_measure_result() = std::move(job_->result);
    return Answer(std::move(reply));
  }
  job_->run = std::move(run);
  job_->stage = Stage::kSourceFinishes;
  energy_.recorder->Finish([this, id = job_->id](Result<EnergyTrace> trace) {
    boost::asio::post(io_, [this, id, trace = std::move(trace)] { OnSourceFinished(id, trace); });
  });
}

void JobRunner::OnSourceFinished(daemon::JobId id, const Result<EnergyTrace>& trace) {
  if (!job_ || job_->id != id) return;
  Message reply;
  v1::MeasureResult& result = *reply.envelope.mutable_measure_result();
  result = std::move(job_->result);
  AttachEnergy(job_->run, trace, energy_.tolerance, result);
  const double phase_ms =
      static_cast<double>(job_->run.idle_after().end_ns() - job_->run.idle_before().begin_ns()) *
      1e-6;
  v1::Conditions& conditions = *result.mutable_conditions();
  conditions.set_duration_ms(conditions.duration_ms() + phase_ms);
  Answer(std::move(reply));
}

void JobRunner::DropRecording() {
  energy_.recorder->Finish([](const Result<EnergyTrace>&) {});
}

void JobRunner::Refuse(const std::string& reason) {
  Message reply;
  *reply.envelope.mutable_measure_result() = std::move(job_->result);
  RefuseEnergy(reason, *reply.envelope.mutable_measure_result());
  Answer(std::move(reply));
}

void JobRunner::Answer(Message reply) {
  const daemon::JobId id = job_->id;
  if (reply.envelope.has_measure_result() && takes_turns_) {
    v1::Conditions& conditions = *reply.envelope.mutable_measure_result()->mutable_conditions();
    conditions.set_turn_wait_ms(job_->turn_wait_ms);
    if (!turn_.problem().empty()) conditions.add_notes(turn_.problem());
  }
  DropEnergyThatDoesNotFit(reply);
  EndJob();
  handler_(daemon::WorkerAnswered{id, std::move(reply)});
}

}  // namespace bitpilot
