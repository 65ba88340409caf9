#include "device_daemon/worker/worker.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "device_daemon/core/artifact_store.h"
#include "device_daemon/measurement/cpu_core.h"
#include "device_daemon/measurement/energy_phase.h"
#include "device_daemon/measurement/job_forecast.h"
#include "device_daemon/measurement/measurement.h"
#include "device_daemon/worker/kernel_choices_file.h"
#include "device_daemon/worker/process.h"
#include "device_daemon/worker/progress_report.h"
#include "device_daemon/worker/sandbox.h"
#include "device_daemon/worker/worker_channel.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

void SendProgress(const v1::MeasureProgress& progress) {
  Message message;
  *message.envelope.mutable_measure_progress() = progress;
  // A closed channel ends the worker at its next read.
  (void)WriteMessage(kWorkerDescriptor, message);
}

class Worker {
 public:
  Worker(const WorkerOptions& options, const CpuCore& core, MeasurementSetup setup,
         BoardWatchOptions watch)
      : store_(options.store),
        daemon_(options.parent),
        setup_(std::move(setup)),
        watch_(std::move(watch)) {
    setup_.load = [this](std::string_view sha256) { return ReadArtifact(store_, sha256); };
    if (!setup_.cost_table) {
      setup_.watch = &watch_;
      choices_ = ReadKernelChoices(store_, core.Identity());
      setup_.choices = &choices_;
    }
  }

  // The answer to one request; never throws.
  Message Handle(const Message& request);
  void Learn(const v1::BoardBaseline& baseline) { watch_.Learn(baseline); }
  // Keeps the choices of kernels, if some were timed since the last call.
  void SaveChoices();

 private:
  Result<Message> Infer(const v1::InferRequest& request, std::string_view pixels);

  std::string store_;
  pid_t daemon_;
  MeasurementSetup setup_;
  BoardWatch watch_;
  KernelChoices choices_;
  std::size_t num_saved_choices_ = 0;
  ProgressReport report_{SystemMeasureClock(), SendProgress};
  const ProgressFunction progress_ = [this](const Progress& now) { report_.Add(now); };
};

Result<Message> Worker::Infer(const v1::InferRequest& request, std::string_view pixels) {
  Result<Network> network = setup_.load(request.network_sha256());
  if (!network.ok()) return network.status();
  const auto image_bytes = static_cast<std::size_t>(network->input_bytes());
  const auto num_classes = static_cast<std::size_t>(network->num_classes());
  const std::size_t num_images = request.num_images();
  if (pixels.size() != num_images * image_bytes) {
    return InvalidArgument("the network takes " + std::to_string(image_bytes) +
                           " bytes an image, got " + std::to_string(pixels.size()) + " bytes for " +
                           std::to_string(num_images) + " images");
  }
  if (num_images * num_classes > kMaxRawBytes / sizeof(float)) {
    return Status(StatusCode::kResourceExhausted,
                  "the logits of " + std::to_string(num_images) +
                      " images do not fit one reply; ask for fewer");
  }
  const std::int64_t silence_ns = FirstSilenceNs(network->topology);
  const auto tick = [&] { progress_({.phase = "infer", .silence_ns = silence_ns}); };
  tick();
  // Without the choices: the board need not be fit for this, so nothing may be timed.
  Result<CompiledNetwork> compiled =
      CompiledNetwork::Create(*network, {.isa = setup_.isa, .on_operation = tick});
  if (!compiled.ok()) return compiled.status();
  std::vector<float> logits(num_images * num_classes);
  const std::span<const std::uint8_t> images(reinterpret_cast<const std::uint8_t*>(pixels.data()),
                                             pixels.size());
  for (std::size_t i = 0; i < num_images; ++i) {
    compiled->Run(images.subspan(i * image_bytes, image_bytes),
                  std::span(logits).subspan(i * num_classes, num_classes));
    tick();
  }
  Message reply;
  reply.envelope.mutable_infer_result()->set_num_images(request.num_images());
  reply.envelope.mutable_infer_result()->set_num_classes(static_cast<std::uint32_t>(num_classes));
  v1::NamedOutput& output = *reply.envelope.mutable_infer_result()->add_outputs();
  output.set_name(network->topology.operations.back().name);
  output.set_num_values(static_cast<std::uint32_t>(num_classes));
  reply.raw.assign(reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float));
  return reply;
}

void Worker::SaveChoices() {
  if (choices_.num_timed() == num_saved_choices_) return;
  num_saved_choices_ = choices_.num_timed();
  const Status saved = WriteKernelChoices(store_, choices_);
  if (!saved.ok()) {
    std::fprintf(stderr, "bitpilotd worker: kernels will be chosen again after a restart: %s\n",
                 saved.message().c_str());
  }
}

Message ErrorMessage(const Status& status) {
  Message message;
  *message.envelope.mutable_error() = ToProto(status);
  return message;
}

Message OutOfMemory(const Message& request) {
  const std::string detail = "no memory to run it; the worker's limit is --worker-memory";
  Message message;
  if (request.envelope.has_energy_run_request()) {
    v1::EnergyRunResult& run = *message.envelope.mutable_energy_run_result();
    run.set_measure_id(request.envelope.energy_run_request().measure().measure_id());
    run.set_status(v1::OUT_OF_MEMORY);
    run.set_detail(ToUtf8(detail));
    return message;
  }
  if (!request.envelope.has_measure_request()) {
    return ErrorMessage({StatusCode::kResourceExhausted, detail});
  }
  v1::MeasureResult& result = *message.envelope.mutable_measure_result();
  result.set_measure_id(request.envelope.measure_request().measure_id());
  result.set_status(v1::OUT_OF_MEMORY);
  result.set_detail(ToUtf8(detail));
  return message;
}

// What a request's networks make of an answer may be more than a message takes.
Message TooLarge(const Message& request) {
  const std::string detail =
      "its result is larger than a message; measure fewer networks at a time";
  Message message;
  if (!request.envelope.has_measure_request()) {
    return ErrorMessage({StatusCode::kResourceExhausted, detail});
  }
  v1::MeasureResult& result = *message.envelope.mutable_measure_result();
  result.set_measure_id(request.envelope.measure_request().measure_id());
  result.set_status(v1::REJECTED);
  result.set_detail(detail);
  return message;
}

Message Worker::Handle(const Message& request) {
  const v1::Envelope& envelope = request.envelope;
  report_.Begin(envelope.has_energy_run_request()
                    ? envelope.energy_run_request().measure().measure_id()
                    : envelope.measure_request().measure_id());
  try {
    if (request.envelope.has_infer_request()) {
      Result<Message> reply = Infer(request.envelope.infer_request(), request.raw);
      return reply.ok() ? std::move(*reply) : ErrorMessage(reply.status());
    }
    if (request.envelope.has_measure_request()) {
      const v1::MeasureRequest& measure = request.envelope.measure_request();
      const std::uint64_t epoch = request.envelope.lease_epoch();
      watch_.set_lease_epoch(epoch);
      // A daemon's epochs grow; another daemon may begin at the same one, with the same choices.
      choices_.BeginLease(std::to_string(daemon_) + "." + std::to_string(epoch));
      choices_.Adopt(measure.kernel_choices());
      Message reply;
      *reply.envelope.mutable_measure_result() =
          Measure(measure, setup_, SystemMeasureClock(), progress_);
      return reply;
    }
    if (request.envelope.has_energy_run_request()) {
      const v1::EnergyRunRequest& run = request.envelope.energy_run_request();
      Message reply;
      *reply.envelope.mutable_energy_run_result() =
          RunEnergyPhase(run, setup_, SystemMeasureClock(), SleepNs, progress_);
      return reply;
    }
    return ErrorMessage(InvalidArgument("the worker does not take " +
                                        std::string(BodyName(request.envelope.body_case()))));
  } catch (const std::bad_alloc&) {
    return OutOfMemory(request);
  }
}

Result<MeasurementSetup> MakeSetup(const WorkerOptions& options) {
  MeasurementSetup setup;
  const Result<Isa> isa = ParseIsa(options.isa);
  if (!isa.ok()) return isa.status();
  setup.isa = *isa;
  if (!options.cost_table_path.empty()) {
    Result<CostTable> table = ReadCostTableFile(options.cost_table_path);
    if (!table.ok()) return table.status();
    setup.cost_table = std::move(*table);
    if (!options.fast) setup.spend_ns = SleepNs;
  }
  return setup;
}

int Fail(const Status& status) {
  std::fprintf(stderr, "bitpilotd worker: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int RunWorker(const WorkerOptions& options) {
  IgnoreBrokenPipes();
  DieWithParent(options.parent, SIGKILL);
  const Result<CpuCore> core = ChooseCore(std::to_string(options.cpu));
  if (!core.ok()) return Fail(core.status());
  // A system that refuses leaves it where it is: the windows tell what that does.
  (void)PinToCpu(core->cpu);
  Result<MeasurementSetup> setup = MakeSetup(options);
  if (!setup.ok()) return Fail(setup.status());
  Result<std::function<void()>> canary = CanaryInference(setup->isa);
  if (!canary.ok()) return Fail(canary.status());
  Status confined = MakeWorkerFolder(options.store);
  if (confined.ok()) confined = ConfineWorker(options.memory_bytes);
  if (confined.ok()) confined = EnterSandbox(options.store, ProbeSandbox());
  if (!confined.ok()) return Fail(confined);
  BoardWatchOptions watch;
  watch.cpu = options.cpu;
  watch.shares_agent_host = options.shares_agent_host;
  watch.pause = [] { sleep(1); };
  watch.canary = std::move(*canary);
  watch.clock_mhz = [] { return MeasureClockMhz(SystemMeasureClock()); };
  watch.on_baseline = [](const v1::BoardBaseline& baseline) {
    Message message;
    *message.envelope.mutable_board_baseline() = baseline;
    // A closed channel ends the worker at its next read.
    (void)WriteMessage(kWorkerDescriptor, message);
  };
  Worker worker(options, *core, std::move(*setup), std::move(watch));
  ChannelDecoder decoder;
  for (;;) {
    const Result<Message> request = ReadMessage(kWorkerDescriptor, decoder);
    if (!request.ok()) return request.status().code() == StatusCode::kUnavailable ? 0 : 1;
    if (request->envelope.has_board_baseline()) {
      worker.Learn(request->envelope.board_baseline());
      continue;
    }
    Message answer = worker.Handle(*request);
    if (!FitsFrames(answer)) answer = TooLarge(*request);
    // First: whoever has the last answer may end the daemon.
    worker.SaveChoices();
    const Status sent = WriteMessage(kWorkerDescriptor, answer);
    if (!sent.ok()) return 0;
  }
}

}  // namespace bitpilot
