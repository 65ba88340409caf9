// bitpilotd: runs and measures quantized networks on the board it runs on.
#include <algorithm>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>

#include <CLI/CLI.hpp>

#include "device_daemon/commands/commands.h"
#include "device_daemon/server/capabilities.h"
#include "device_daemon/worker/worker.h"
#include "kernels/base/file_io.h"
#include "kernels/base/joined.h"
#include "kernels/base/number_text.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/utf8.h"
#include "kernels/runtime/thread_pool.h"

namespace bitpilot {
namespace {

constexpr char kIsaHelp[] =
    "Highest instruction set the kernels may use: scalar, scalar-popcnt, sse4, avx2, avxvnni, "
    "avx512vnni, amx; on Arm neon, neondot, neoni8mm. One machine can so stand for several classes "
    "of boards. Default: the best "
    "this CPU has";
constexpr char kCpuHelp[] =
    "The CPU that measures: its number, or big or little (the strongest or weakest kind of this "
    "chip). Default: the last one of the strongest kind";
constexpr char kJsonHelp[] = "Print one JSON object a line; the last has \"type\":\"result\"";

// For every flag with a number, by transform(): refuses all but numbers of the range.
template <typename T>
CLI::Validator NumberIn(T min, T max = std::numeric_limits<T>::max()) {
  return CLI::Validator(NumberCheck(min, max), NumberRange(min, max));
}
CLI::Validator WholeNumberIn(std::int64_t min,
                             std::int64_t max = std::numeric_limits<std::int64_t>::max()) {
  return NumberIn(min, max);
}

void AddServe(CLI::App& app, ServeOptions& options) {
  CLI::App* serve = app.add_subcommand("serve", "Serve agents until interrupted");
  serve->add_option("--listen", options.endpoint,
                    "Where to listen, e.g. tcp://0.0.0.0:7777; port 0 takes a free one");
  serve->add_option("--connect", options.connect,
                    "Also, or instead of --listen: connect to the agent at HOST:PORT, as from "
                    "behind a NAT. May be repeated");
  serve->add_option("--agent", options.agent_name,
                    "With --connect: the agent, by its name in authorized_agents, whose key must "
                    "be found there. Default: the only one that may measure; once others may, "
                    "too, the one that was expected before");
  serve->add_option("--keys", options.keys_folder,
                    "Folder with daemon.key (see keygen) and authorized_agents: a line \"NAME "
                    "PUBLIC_KEY [agent|observer|admin] [LAST_DAY]\" for each agent that may "
                    "connect; LAST_DAY is YYYY-MM-DD. The list is read again when it changes");
  serve->add_option("--isa", options.isa, kIsaHelp);
  serve->add_option("--cpu", options.cpu, kCpuHelp);
  serve
      ->add_option("--backend", options.backend,
                   "kernels: measure. model:TABLE: answer from a cost table (a file, or a shipped "
                   "board's name), in the time that it claims; every result says MODEL")
      ->capture_default_str();
  serve->add_flag("--fast", options.fast, "With --backend model:TABLE: answer at once");
  serve->add_option("--name", options.name, "This board's name. Default: the host name");
  serve->add_option("--store", options.store_folder,
                    "Folder for uploaded networks and the lease counter. Default: KEYS/store");
  serve->add_option("--store-mib", options.store_mib, "Largest size of the store, in MiB")
      ->transform(WholeNumberIn(1, 1 << 20))
      ->capture_default_str();
  serve
      ->add_option("--worker-memory", options.worker_memory_mib,
                   "Memory limit of the process that runs networks, in MiB; a network that needs "
                   "more is answered with OUT_OF_MEMORY")
      ->transform(WholeNumberIn(16, 1 << 20))
      ->capture_default_str();
  serve->add_option("--meter", options.meter,
                    "Command that prints what an external meter samples; the line protocol is in "
                    "device_daemon/energy/meter_program.h");
  serve->add_option("--energy-source", options.energy_source,
                    "Which of the sources that `bitpilotd check` lists measures energy, or none. "
                    "Default: the meter, else the sensor that sees most of the board");
  serve
      ->add_option("--energy-tolerance", options.energy_tolerance,
                   "A network's time in the energy phase may differ by this share from its "
                   "latency's interval; else it has no energy")
      ->transform(NumberIn(0.0, 1.0))
      ->capture_default_str();
  serve->add_option("--metrics", options.metrics_path,
                    "File for Prometheus' textfile collector (name it *.prom), written every 15 s "
                    "while nothing is measured");
  serve
      ->add_option("--log-format", options.log_format,
                   "Of the log on standard error: text, or json with one object a line, which also "
                   "tells of every measurement and lease")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  serve->add_flag("--shares-agent-host", options.shares_agent_host,
                  "This board is the machine that trains: other load is expected, and only what it "
                  "does to a measurement is judged");
  serve->add_flag("--json", options.json,
                  "Print {\"type\":\"ready\",\"endpoint\",\"public_key\",\"pid\"} once agents can "
                  "connect");
  serve->add_flag("--exit-with-parent", options.exit_with_parent,
                  "End when the program that started this one ends");
}

void AddKeygen(CLI::App& app, KeygenOptions& options) {
  CLI::App* keygen = app.add_subcommand("keygen", "Make this board's key pair");
  keygen->add_option("--keys", options.keys_folder, "Folder for the keys; made if missing")
      ->required();
  keygen->add_option("--user", options.user,
                     "Run as root: the user whose daemon serves with these keys. The secret key "
                     "becomes that user's; folder and authorized_agents stay root's");
  keygen->add_flag("--force", options.force, "Replace an existing key");
  keygen->add_flag("--json", options.json, kJsonHelp);
}

void AddCheck(CLI::App& app, CheckOptions& options) {
  CLI::App* check =
      app.add_subcommand("check", "Print what this board is; exit code 1 if it cannot serve");
  check->add_option("--cpu", options.cpu, kCpuHelp);
  check->add_option("--meter", options.meter,
                    "Also start this meter program and list it; the line protocol is in "
                    "device_daemon/energy/meter_program.h");
  check->add_flag("--json", options.json, kJsonHelp);
}

void AddRun(CLI::App& app, RunOptions& options) {
  CLI::App* run = app.add_subcommand("run", "Run a network on images and print the logits");
  run->add_option("network", options.network_path, "Network file (.bpnet)")->required();
  run->add_option("input", options.input_path,
                  "Images: raw unsigned bytes [C, H, W], one after the other")
      ->required();
  run->add_option("--isa", options.isa, kIsaHelp);
  run->add_option("--cpu", options.cpu,
                  "The CPU that runs it: its number, or big or little. Default: any");
  run->add_flag("--cifar10", options.cifar10,
                "The input is a CIFAR-10 binary file: a label byte before each image");
  run->add_flag("--json", options.json, kJsonHelp);
}

void AddBench(CLI::App& app, BenchOptions& options) {
  CLI::App* bench =
      app.add_subcommand("bench", "Time a network on this CPU: warm, cold, and layer by layer");
  bench
      ->add_option("--network", options.network,
                   "A network file (.bpnet), or one of " + Joined(StandardNetworkNames()) +
                       ", which then has random weights: times do not depend on them")
      ->capture_default_str();
  bench->add_option("--bits", options.bits,
                    "Widths of a named network, w1a1 to w8a8: its ends keep 8 bits. Default: w8a8");
  bench->add_option("--isa", options.isa, kIsaHelp);
  bench->add_option("--cpu", options.cpu, kCpuHelp);
  bench
      ->add_option("--threads", options.threads,
                   "Threads that share an inference, on as many cores of the same kind; a network "
                   "that is faster by one thread is run by one. Times are then wall times")
      ->transform(WholeNumberIn(1, ThreadPool::kMaxThreads))
      ->capture_default_str();
  CLI::Option* layers =
      bench->add_flag("--layers", options.layers, "Also print each operation's kernel and time");
  bench
      ->add_flag("--table", options.table,
                 "Instead print a cost table of every layer at every width, for --backend "
                 "model:FILE and searches with --device model:FILE")
      ->excludes(layers);
  CLI::Option* versus = bench->add_option(
      "--versus", options.versus,
      "Instead compare it with this one, in interleaved rounds: a network file, a network above "
      "(resnet20:w4a8), or widths of the same one (w8a8). Two copies of --network are compared "
      "before that, alike. Half a minute or more. Exit code 3: --network is slower; 4: no verdict, "
      "as the "
      "two copies were told apart");
  versus->excludes(layers)->excludes("--table");
  bench->add_flag("--audit", options.audit, "Of --versus: windows four times as long")
      ->needs(versus);
  bench->add_flag("--json", options.json, kJsonHelp);
}

// Started by the daemon only, so not in the help.
void AddWorker(CLI::App& app, WorkerOptions& options) {
  CLI::App* worker = app.add_subcommand("worker", "")->group("");
  worker->add_option("--store", options.store)->required();
  worker->add_option("--isa", options.isa)->required();
  worker->add_option("--cpu", options.cpu)->transform(WholeNumberIn(0))->required();
  worker->add_option("--memory-bytes", options.memory_bytes)
      ->transform(WholeNumberIn(1))
      ->required();
  worker->add_option("--parent", options.parent)->transform(WholeNumberIn(1))->required();
  worker->add_option("--cost-table", options.cost_table_path);
  worker->add_flag("--shares-agent-host", options.shares_agent_host);
  worker->add_flag("--fast", options.fast);
}

bool AsksForJson(int argc, char** argv) {
  return std::any_of(argv, argv + argc,
                     [](const char* argument) { return std::string(argument) == "--json"; });
}

int RunCommand(int argc, char** argv) {
  CLI::App app{
      "Runs and measures quantized networks on this board for bitpilot's search.\n"
      "Start here: bitpilotd check; bitpilotd keygen --keys DIR; bitpilotd serve --listen "
      "tcp://127.0.0.1:7777 --keys DIR",
      "bitpilotd"};
  app.set_version_flag("--version", DaemonBuild());
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 usage; of bench --versus also 3 slower, 4 no verdict.");
  ServeOptions serve;
  KeygenOptions keygen;
  CheckOptions check;
  RunOptions run;
  BenchOptions bench;
  WorkerOptions worker;
  AddServe(app, serve);
  AddKeygen(app, keygen);
  AddCheck(app, check);
  AddRun(app, run);
  AddBench(app, bench);
  AddWorker(app, worker);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) == 0) return 0;  // --help, --version
    if (AsksForJson(argc, argv)) PrintErrorLine(InvalidArgument(error.what()));
    return 2;
  }
  if (app.got_subcommand("serve")) return RunServe(serve);
  if (app.got_subcommand("keygen")) return RunKeygen(keygen);
  if (app.got_subcommand("check")) return RunCheck(check);
  if (app.got_subcommand("run")) return RunNetwork(run);
  if (app.got_subcommand("bench")) return RunBench(bench);
  return RunWorker(worker);
}

// A library's exception that nobody expected is our mistake, and not the end of a message.
int RunCommandOrFail(int argc, char** argv) {
  try {
    return RunCommand(argc, argv);
  } catch (const std::exception& error) {
    return ReportFailure(
        Status(StatusCode::kInternal, std::string("unexpected failure: ") + ToUtf8(error.what())),
        AsksForJson(argc, argv));
  }
}

int Main(int argc, char** argv) {
  const int exit_code = RunCommandOrFail(argc, argv);
  const Status output = FlushStandardOutput();
  if (output.ok() || exit_code != 0) return exit_code;
  return ReportFailure(output, /*json=*/false);
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
