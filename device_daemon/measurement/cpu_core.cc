#include "device_daemon/measurement/cpu_core.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "device_daemon/energy/sysfs.h"
#include "kernels/base/check.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr double kSameFrequency = 0.10;

using Fields = std::map<std::string, std::string, std::less<>>;

std::optional<int> ParseNumber(std::string_view text) {
  int number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || text.empty() || number < 0) return std::nullopt;
  return number;
}

std::string Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

// proc/cpuinfo's lines "key : value" for each "processor"; lines in front of the first or behind
// the last one's blank line, which some boards have, belong to none.
std::map<int, Fields> ReadCpuInfo(const fs::path& path) {
  std::map<int, Fields> processors;
  std::ifstream file(path);
  Fields* fields = nullptr;
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) {
      fields = nullptr;
      continue;
    }
    const std::string key = Trimmed(std::string_view(line).substr(0, colon));
    const std::string value = Trimmed(std::string_view(line).substr(colon + 1));
    if (key == "processor") {
      const std::optional<int> cpu = ParseNumber(value);
      fields = cpu ? &processors[*cpu] : nullptr;
    } else if (fields != nullptr) {
      fields->emplace(key, value);
    }
  }
  return processors;
}

std::string FieldOf(const Fields& fields, std::string_view key) {
  const auto found = fields.find(key);
  return found == fields.end() ? std::string() : found->second;
}

// Without revision or stepping: boards of one kind may differ in it.
std::string PartOf(const Fields& fields) {
  if (const std::string part = FieldOf(fields, "CPU part"); !part.empty()) {
    return "implementer " + FieldOf(fields, "CPU implementer") + " part " + part;
  }
  if (const std::string vendor = FieldOf(fields, "vendor_id"); !vendor.empty()) {
    return vendor + " family " + FieldOf(fields, "cpu family") + " model " +
           FieldOf(fields, "model");
  }
  return FieldOf(fields, "uarch");  // RISC-V
}

std::optional<std::int64_t> NumberIn(const fs::path& path) {
  const Result<std::int64_t> number = ReadSysfsNumber(path);
  return number.ok() ? std::optional(*number) : std::nullopt;
}

std::string LineIn(const fs::path& path) {
  const Result<std::string> line = ReadSysfsLine(path);
  return line.ok() ? *line : std::string();
}

// From the CPU's own main identification register, which Linux shows on Arm; empty if it does not. proc/cpuinfo has the
// same for each CPU, but not in a container or under an emulator that shows the host's.
std::string PartOfRegister(const fs::path& folder) {
  std::string line = LineIn(folder / "regs/identification/midr_el1");
  if (!line.starts_with("0x")) return {};
  std::uint64_t midr = 0;
  const char* end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data() + 2, end, midr, 16);
  if (error != std::errc() || stop != end) return {};
  char part[48];
  std::snprintf(part, sizeof part, "implementer 0x%02x part 0x%03x",
                static_cast<unsigned>(midr >> 24 & 0xFF), static_cast<unsigned>(midr >> 4 & 0xFFF));
  return part;
}

CpuCore ReadCore(const fs::path& folder, int cpu, const Fields& fields) {
  CpuCore core;
  core.cpu = cpu;
  core.part = PartOfRegister(folder);
  if (core.part.empty()) core.part = PartOf(fields);
  core.model = FieldOf(fields, "model name");
  if (core.model.empty()) core.model = core.part;
  core.capacity = NumberIn(folder / "cpu_capacity");
  core.max_khz = NumberIn(folder / "cpufreq/cpuinfo_max_freq");
  core.current_khz = NumberIn(folder / "cpufreq/scaling_cur_freq");
  core.governor = LineIn(folder / "cpufreq/scaling_governor");
  core.siblings = LineIn(folder / "topology/thread_siblings_list");
  return core;
}

// Sets `strength`: CPUs as strong as each other get the same.
void RankStrength(std::vector<CpuCore>& cores) {
  const auto all_have = [&](std::optional<std::int64_t> CpuCore::*member) {
    return std::all_of(cores.begin(), cores.end(),
                       [member](const CpuCore& core) { return (core.*member).has_value(); });
  };
  const bool by_capacity = all_have(&CpuCore::capacity);
  if (!by_capacity && !all_have(&CpuCore::max_khz)) return;
  const auto member = by_capacity ? &CpuCore::capacity : &CpuCore::max_khz;
  const double tolerance = by_capacity ? 0.0 : kSameFrequency;
  std::vector<CpuCore*> ascending;
  for (CpuCore& core : cores) ascending.push_back(&core);
  std::stable_sort(ascending.begin(), ascending.end(), [member](CpuCore* a, CpuCore* b) {
    return (a->*member).value() < (b->*member).value();
  });
  int strength = 0;
  double weakest = 0.0;
  for (CpuCore* core : ascending) {
    const auto value = static_cast<double>((core->*member).value());
    if (core == ascending.front()) weakest = value;
    if (value > weakest * (1.0 + tolerance)) {
      ++strength;
      weakest = value;
    }
    core->strength = strength;
  }
}

void NameClusters(std::vector<CpuCore>& cores) {
  std::map<std::pair<std::string, int>, std::vector<int>> kinds;
  for (const CpuCore& core : cores) kinds[{core.part, core.strength}].push_back(core.cpu);
  if (kinds.size() < 2) return;
  for (CpuCore& core : cores) core.cluster = CpuList(kinds[{core.part, core.strength}]);
}

// What is known of the allowed CPUs.
std::vector<CpuCore> Candidates(const std::vector<CpuCore>& cores,
                                const std::vector<int>& allowed) {
  std::vector<CpuCore> candidates;
  for (const int cpu : allowed) {
    const auto known = std::find_if(cores.begin(), cores.end(),
                                    [cpu](const CpuCore& core) { return core.cpu == cpu; });
    candidates.emplace_back();
    candidates.back().cpu = cpu;
    if (known != cores.end()) candidates.back() = *known;
  }
  return candidates;
}

std::string DescribeChoices(const std::vector<CpuCore>& cores, const std::vector<int>& allowed) {
  std::string text = "this process may use CPUs " + CpuList(allowed);
  std::string clusters;
  for (const CpuCore& core : cores) {
    if (core.cluster.empty() || clusters.find("CPUs " + core.cluster + " (") != std::string::npos) {
      continue;
    }
    clusters += (clusters.empty() ? "; there are CPUs " : ", CPUs ") + core.cluster + " (" +
                core.part + (core.capacity ? ", capacity " + std::to_string(*core.capacity) : "") +
                ")";
  }
  return text + clusters;
}

}  // namespace

std::string CpuCore::Identity() const {
  std::string text = part.empty() ? model : part;
  if (capacity) text += ", capacity " + std::to_string(*capacity);
  if (!capacity && !cluster.empty() && max_khz) {
    text += ", up to " + std::to_string(*max_khz / 1000) + " MHz";
  }
  if (!cluster.empty()) text += ", CPUs " + cluster;
  return text;
}

std::vector<CpuCore> ReadCpuCores(const fs::path& root) {
  const std::map<int, Fields> info = ReadCpuInfo(root / "proc/cpuinfo");
  std::vector<CpuCore> cores;
  for (const auto& [cpu, fields] : info) {
    cores.push_back(
        ReadCore(root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu)), cpu, fields));
  }
  RankStrength(cores);
  NameClusters(cores);
  return cores;
}

std::vector<int> AllowedCpus() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  }
  return cpus;
}

Result<CpuCore> ChooseCore(const std::vector<CpuCore>& cores, const std::vector<int>& allowed,
                           const std::string& choice) {
  BITPILOT_CHECK(!allowed.empty());
  std::vector<CpuCore> candidates = Candidates(cores, allowed);
  const auto weaker = [](const CpuCore& a, const CpuCore& b) {
    return std::tuple(a.strength, a.cpu) < std::tuple(b.strength, b.cpu);
  };
  if (choice.empty()) return *std::max_element(candidates.begin(), candidates.end(), weaker);
  const std::string what = "--cpu " + choice + ": ";
  if (choice == "big" || choice == "little") {
    const auto [weakest, strongest] =
        std::minmax_element(candidates.begin(), candidates.end(), weaker);
    if (weakest->strength == strongest->strength) {
      return InvalidArgument(what + "the CPUs are alike, as far as the system tells; give the " +
                             "number of one: " + DescribeChoices(cores, allowed));
    }
    const int strength = choice == "big" ? strongest->strength : weakest->strength;
    std::erase_if(candidates, [=](const CpuCore& core) { return core.strength != strength; });
    return candidates.back();
  }
  const std::optional<int> number = ParseNumber(choice);
  if (!number) return InvalidArgument(what + "expected a CPU's number, big or little");
  for (const CpuCore& core : candidates) {
    if (core.cpu == *number) return core;
  }
  return InvalidArgument(what + "no such CPU: " + DescribeChoices(cores, allowed));
}

Result<std::vector<CpuCore>> ChooseCores(const std::vector<CpuCore>& cores,
                                         const std::vector<int>& allowed, const std::string& choice,
                                         int num_threads) {
  const Result<CpuCore> first = ChooseCore(cores, allowed, choice);
  if (!first.ok()) return first.status();
  std::vector<CpuCore> chosen = {*first};
  const std::vector<CpuCore> candidates = Candidates(cores, allowed);
  const auto wanted = static_cast<std::size_t>(num_threads);
  for (auto core = candidates.rbegin(); core != candidates.rend() && chosen.size() < wanted;
       ++core) {
    const bool other_kind = core->part != first->part || core->strength != first->strength;
    const bool shares = std::any_of(chosen.begin(), chosen.end(), [&core](const CpuCore& taken) {
      return taken.cpu == core->cpu ||
             (!core->siblings.empty() && taken.siblings == core->siblings);
    });
    if (!other_kind && !shares) chosen.push_back(*core);
  }
  if (chosen.size() < wanted) {
    return InvalidArgument("--threads " + std::to_string(num_threads) + ": CPU " +
                           std::to_string(first->cpu) + " and others of its kind are " +
                           Counted(static_cast<std::int64_t>(chosen.size()), "core") + "; " +
                           DescribeChoices(cores, allowed));
  }
  return chosen;
}

Result<std::vector<CpuCore>> ChooseCores(const std::string& choice, int num_threads) {
  return ChooseCores(ReadCpuCores("/"), AllowedCpus(), choice, num_threads);
}

Result<CpuCore> ChooseCore(const std::string& choice) {
  return ChooseCore(ReadCpuCores("/"), AllowedCpus(), choice);
}

bool PinToCpu(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  return sched_setaffinity(0, sizeof only, &only) == 0;
}

std::string CpuList(const std::vector<int>& cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t end = i + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    text += (text.empty() ? "" : ",") + std::to_string(cpus[i]);
    if (end - i > 1) text += "-" + std::to_string(cpus[end - 1]);
    i = end;
  }
  return text;
}

}  // namespace bitpilot
