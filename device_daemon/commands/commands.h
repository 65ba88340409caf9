// bitpilotd's subcommands, one file each; main.cc only parses the command line.
//
// Each returns the program's exit code: 0 done, 1 failed (with one line on standard error), 2 wrong
// usage; RunBench() also those of a comparison (kernels/versus/versus.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "device_daemon/measurement/cpu_core.h"
#include "device_daemon/server/energy_result.h"
#include "kernels/base/status.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {

struct ServeOptions {
  std::string endpoint;              // Empty: only connects.
  std::vector<std::string> connect;  // "HOST:PORT" or an endpoint, each of an agent.
  std::string agent_name;            // As ServerOptions::agent_name.
  std::string keys_folder;
  std::string store_folder;  // Empty: "store" in the key folder.
  std::string isa;           // Empty: the best the CPU has.
  std::string cpu;           // As ChooseCore() (measurement/cpu_core.h) takes it.
  std::string backend = "kernels";
  bool fast = false;  // a model backend answers at once
  std::string name;
  std::string meter;          // A meter program's command line, or empty.
  std::string energy_source;  // Empty: the best one; "none": no energy.
  double energy_tolerance = kDefaultEnergyTolerance;
  std::uint64_t store_mib = 256;
  std::uint64_t worker_memory_mib = 1024;
  std::string metrics_path;
  std::string log_format = "text";  // or "json"
  bool json = false;
  bool exit_with_parent = false;
  bool shares_agent_host = false;
};
int RunServe(const ServeOptions& options);

struct KeygenOptions {
  std::string keys_folder;
  std::string user;  // Whose daemon is to read the secret key; empty: this process's.
  bool force = false;
  bool json = false;
};
int RunKeygen(const KeygenOptions& options);

struct CheckOptions {
  std::string cpu;    // As ServeOptions::cpu.
  std::string meter;  // A meter program's command line (energy/meter_program.h), or empty.
  bool json = false;
};
int RunCheck(const CheckOptions& options);

struct RunOptions {
  std::string network_path;
  std::string input_path;
  std::string isa;
  std::string cpu;  // As ServeOptions::cpu; empty: whichever the system chooses.
  bool cifar10 = false;
  bool json = false;
};
int RunNetwork(const RunOptions& options);

struct BenchOptions {
  std::string network = "resnet20";  // a standard network's name, or a network file
  std::string bits;                  // "w4a8" for a named network; empty: w8a8
  std::string versus;                // what to compare it with (bench_network.h), or empty
  std::string isa;
  std::string cpu;  // As ServeOptions::cpu.
  int threads = 1;  // that share an inference
  bool layers = false;
  bool table = false;
  bool audit = false;  // of `versus`
  bool json = false;
};
int RunBench(const BenchOptions& options);

// The instruction set that `name` asks for, or the best one if it is empty.
//
// Errors: kInvalidArgument for an unknown name, kUnsupported if this CPU lacks it.
Result<Isa> ChooseIsa(const std::string& name);

// The CPU that `choice` names (ChooseCore(), measurement/cpu_core.h), on which the calling thread is
// kept from now on.
//
// Errors: ChooseCore()'s; kInternal if the system refuses to keep it there.
Result<CpuCore> PinToChosenCore(const std::string& choice);

// Prints `line` as one JSON object on standard output, which is valid also where a text is not
// UTF-8.
void PrintJson(const nlohmann::ordered_json& line);

// {"type":"error","code","message"} on standard output.
void PrintErrorLine(const Status& status);

// Prints "bitpilotd: MESSAGE" on standard error and, with `json`, the error line; returns 2 for
// kInvalidArgument, else 1.
int ReportFailure(const Status& status, bool json);

}  // namespace bitpilot
