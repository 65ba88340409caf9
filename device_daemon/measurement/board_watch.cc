#include "device_daemon/measurement/board_watch.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <utility>

#include "device_daemon/energy/sysfs.h"
#include "device_daemon/measurement/board_baseline.h"
#include "device_daemon/measurement/system_info.h"

namespace bitpilot {
namespace {

constexpr double kMsPerPause = 1'000.0;
constexpr std::int64_t kStaysWarmNs = 5'000'000'000;
constexpr double kTemperatureRiseLimit = 10.0;
// The system counts in ticks of usually 10 ms, so either end may be wrong by one on each CPU.
constexpr int kTicksOfError = 2;

std::string Format(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

double TickSeconds() { return 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK)); }

// Busy seconds of all CPUs: user, nice, system, irq, softirq and steal of the first line.
std::optional<double> ReadBusySeconds(const std::filesystem::path& stat) {
  const Result<std::string> line = ReadSysfsLine(stat);
  if (!line.ok()) return std::nullopt;
  std::istringstream fields(*line);
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  fields >> name >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal;
  if (!fields || name != "cpu") return std::nullopt;
  return (user + nice + system + irq + softirq + steal) * TickSeconds();
}

double FrequencyChange(const v1::Conditions& conditions) {
  const std::uint32_t lowest = conditions.frequency_min_khz();
  return lowest == 0 ? 0.0 : static_cast<double>(conditions.frequency_max_khz()) / lowest - 1.0;
}

std::string DescribeFrequencies(const v1::Conditions& conditions) {
  return Format("%.0f", conditions.frequency_min_khz() * 1e-3) + " to " +
         Format("%.0f MHz", conditions.frequency_max_khz() * 1e-3);
}

}  // namespace

BoardWatch::BoardWatch(BoardWatchOptions options)
    : options_(std::move(options)),
      gate_([root = options_.root] { return ReadBoardState(root); }, options_.pause,
            options_.shares_agent_host ? StateGate::Heat::kUnlimited : StateGate::Heat::kLimited),
      canary_(options_.canary, options_.shares_agent_host ? Canary::Reference::kLease
                                                          : Canary::Reference::kBestSinceBoot),
      clock_watch_(options_.clock_mhz, [this] { return ClaimedMhz(); }) {}

void BoardWatch::Learn(const v1::BoardBaseline& baseline) {
  if (baseline.has_idle_celsius()) gate_.NoteIdleCelsius(baseline.idle_celsius());
  if (baseline.has_canary_ns()) {
    canary_.NoteBest({baseline.canary_ns(), baseline.canary_scatter()});
  }
  ImproveBaseline(baseline, told_);
}

void BoardWatch::TellBaseline() {
  if (!options_.on_baseline) return;
  v1::BoardBaseline seen;
  if (const auto celsius = gate_.idle_celsius()) seen.set_idle_celsius(*celsius);
  if (!options_.shares_agent_host && canary_.best()) {
    seen.set_canary_ns(canary_.best()->ns);
    seen.set_canary_scatter(canary_.best()->scatter);
  }
  v1::BoardBaseline better = told_;
  if (!ImproveBaseline(seen, better)) return;
  told_ = better;
  options_.on_baseline(told_);
}

std::optional<BoardWatch::CpuUse> BoardWatch::ReadCpuUse(MeasureClock& clock) const {
  const std::optional<double> busy_s = ReadBusySeconds(options_.root / "proc/stat");
  if (!busy_s) return std::nullopt;
  return CpuUse{*busy_s, static_cast<double>(clock.ThreadCpuNs()) * 1e-9,
                static_cast<double>(clock.WallNs()) * 1e-9};
}

// The least that the ticks prove.
std::optional<double> BoardWatch::OtherLoad(const CpuUse& end) const {
  if (!start_use_ || end.wall_s <= start_use_->wall_s) return std::nullopt;
  const double others_s = (end.busy_s - start_use_->busy_s) - (end.own_s - start_use_->own_s);
  const double proven_s = others_s - kTicksOfError * TickSeconds();
  return std::max(0.0, proven_s / (end.wall_s - start_use_->wall_s));
}

int BoardWatch::AwaitSpeed(MeasureClock& clock, const std::function<void()>& tick) {
  const bool lease_begins = canary_.Look(lease_epoch_, clock);
  if (lease_begins) clock_watch_.BeginLease();
  if (canary_.is_off(canary_.latest_ns())) canary_.LookNow(clock);  // that may be long ago
  const auto is_slow = [&] { return canary_.is_slow(canary_.latest_ns()); };
  int pauses = 0;
  while (!options_.shares_agent_host && !waited_in_vain_ && is_slow()) {
    ++pauses;
    tick();
    options_.pause();
    canary_.LookNow(clock);
    waited_in_vain_ = pauses == kMaxCanaryPauses;
  }
  waited_in_vain_ = waited_in_vain_ && is_slow();
  if (lease_begins || lease_is_slow_) {
    canary_.BeginLeaseWithLatest();
    lease_is_slow_ = is_slow();
  }
  slowest_canary_ns_ = fastest_canary_ns_ = canary_.latest_ns();
  clock_watch_.BeginMeasurement();
  LookAtClock();
  return pauses;
}

std::optional<double> BoardWatch::ClaimedMhz() const {
  std::optional<double> mhz;
  for (const CpuFrequency& cpu : ReadBoardState(options_.root).frequencies) {
    if (!Counts(cpu) || cpu.current_khz <= 0) continue;
    const double claimed = static_cast<double>(cpu.current_khz) * 1e-3;
    mhz = std::min(mhz.value_or(claimed), claimed);
  }
  return mhz;
}

void BoardWatch::LookAtClock() {
  if (canary_.looked_ns() == clock_looked_ns_) return;
  clock_looked_ns_ = canary_.looked_ns();
  clock_watch_.Look();
}

void BoardWatch::NoteCanary() {
  LookAtClock();
  slowest_canary_ns_ = std::max(slowest_canary_ns_, canary_.latest_ns());
  fastest_canary_ns_ = std::min(fastest_canary_ns_, canary_.latest_ns());
}

GateVerdict BoardWatch::Begin(MeasureClock& clock, const std::function<void()>& tick,
                              v1::Conditions& conditions) {
  GateVerdict verdict = gate_.Wait(tick);
  if (verdict.status == v1::OK) verdict.pauses += AwaitSpeed(clock, tick);
  conditions.set_gate_wait_ms(kMsPerPause * verdict.pauses);
  TellBaseline();
  start_state_ = ReadBoardState(options_.root);
  gate_.LookAtZones(start_state_);
  start_celsius_ = gate_.zones().hottest_celsius().value_or(0.0);
  if (const auto celsius = gate_.zones().hottest_celsius()) {
    conditions.set_temperature_start_celsius(*celsius);
  }
  for (const IgnoredZone& zone : gate_.zones().ignored()) {
    conditions.add_ignored_zones(zone.ToText());
  }
  if (options_.cpu >= 0) conditions.set_cpu(static_cast<std::uint32_t>(options_.cpu));
  for (const CpuFrequency& cpu : start_state_.frequencies) {
    if (Counts(cpu)) {
      conditions.set_governor(cpu.governor);
      break;
    }
  }
  if (const auto load = LoadAverage()) conditions.set_load_average(*load);
  if (verdict.status != v1::OK) return verdict;
  start_use_ = ReadCpuUse(clock);
  khz_.reset();
  return verdict;
}

bool BoardWatch::Counts(const CpuFrequency& cpu) const {
  return options_.cpu < 0 || cpu.cpu == "cpu" + std::to_string(options_.cpu);
}

void BoardWatch::NoteFrequencies(const BoardState& state) {
  for (const CpuFrequency& cpu : state.frequencies) {
    if (!Counts(cpu)) continue;
    if (!khz_) khz_.emplace(cpu.current_khz, cpu.current_khz);
    khz_->first = std::min(khz_->first, cpu.current_khz);
    khz_->second = std::max(khz_->second, cpu.current_khz);
  }
}

// A board whose system tells no frequency at first tells none later.
void BoardWatch::Look(MeasureClock& clock) {
  canary_.Look(lease_epoch_, clock);
  NoteCanary();
  if (!start_state_.frequencies.empty()) NoteFrequencies(ReadBoardState(options_.root));
}

std::string BoardWatch::End(MeasureClock& clock, v1::Conditions& conditions) {
  const std::optional<CpuUse> use = ReadCpuUse(clock);
  const std::optional<double> other_load = use ? OtherLoad(*use) : std::nullopt;
  canary_.Look(lease_epoch_, clock);
  NoteCanary();
  conditions.set_canary_lease_ns(canary_.lease_ns());
  conditions.set_canary_ns(canary_.latest_ns());
  clock_watch_.Look();  // The CPU has just worked, whether the canary ran or not.
  clock_watch_.Record(conditions);
  const BoardState state = ReadBoardState(options_.root);
  gate_.LookAtZones(state);
  if (const auto celsius = gate_.zones().hottest_celsius()) {
    conditions.set_temperature_end_celsius(*celsius);
  }
  conditions.clear_ignored_zones();
  for (const IgnoredZone& zone : gate_.zones().ignored()) {
    conditions.add_ignored_zones(zone.ToText());
  }
  if (state.throttle) conditions.set_throttle_bits(state.throttle->bits);
  NoteFrequencies(state);
  if (khz_) {
    conditions.set_frequency_min_khz(static_cast<std::uint32_t>(khz_->first));
    conditions.set_frequency_max_khz(static_cast<std::uint32_t>(khz_->second));
  }
  if (other_load) conditions.set_other_load(*other_load);
  AddNotes(state, conditions);
  TellBaseline();
  ended_ns_ = clock.WallNs();
  return FindDisturbance(conditions);
}

std::string BoardWatch::FindDisturbance(const v1::Conditions& conditions) const {
  if (options_.shares_agent_host) return {};
  if (conditions.other_load() > kMaxOtherLoad) {
    return "other work on the board: other processes used " +
           Format("%.2f", conditions.other_load()) +
           " CPUs meanwhile; end them, or start the daemon with --shares-agent-host if the board "
           "is the machine that trains";
  }
  if (FrequencyChange(conditions) > kMaxFrequencyChange) {
    return "the frequency changed while it was measured: " + DescribeFrequencies(conditions) +
           "; choose the governor performance, and see that the board stays cool";
  }
  const std::string throttled = clock_watch_.Describe();
  if (!throttled.empty()) {
    return throttled + "; look at the power supply and the cooling";
  }
  const std::string speed = DescribeCanary();
  if (!speed.empty()) {
    return "the board changed its speed: " + speed +
           "; choose the governor performance, see that the board stays cool, and measure what is "
           "to be compared again";
  }
  return {};
}

std::string BoardWatch::DescribeCanary() const {
  const bool is_slow = canary_.is_slow(slowest_canary_ns_);
  if (!is_slow && !canary_.is_fast(fastest_canary_ns_)) return {};
  const double now_ns = is_slow ? slowest_canary_ns_ : fastest_canary_ns_;
  const double then_ns = is_slow ? canary_.best()->ns : canary_.lease_ns();
  return "the CPU is " + Format("%.1f %%", std::abs(now_ns / then_ns - 1.0) * 100.0) +
         (is_slow ? " slower" : " faster") + " than " +
         (then_ns == canary_.lease_ns() ? "when the lease began"
                                        : "at its best since the board booted") +
         ": the canary took " + Format("%.1f", then_ns * 1e-3) + " us, now " +
         Format("%.1f us", now_ns * 1e-3) +
         (then_ns == canary_.lease_ns() ? ""
                                        : " (if it never was so fast, stop the daemon and delete "
                                          "board_baseline in its store)");
}

void BoardWatch::AddNotes(const BoardState& end, v1::Conditions& conditions) const {
  for (std::string& concern : FindStateConcerns(end, options_.cpu)) {
    conditions.add_notes(std::move(concern));
  }
  if (options_.shares_agent_host) {
    std::string throttled = clock_watch_.Describe();
    if (!throttled.empty()) conditions.add_notes(std::move(throttled));
    std::string speed = DescribeCanary();
    if (!speed.empty()) conditions.add_notes(std::move(speed));
  }
  const double rise = gate_.zones().hottest_celsius().value_or(0.0) - start_celsius_;
  if (rise > kTemperatureRiseLimit) {
    conditions.add_notes("the board became " + Format("%.1f C", rise) + " hotter meanwhile");
  }
  if (options_.shares_agent_host && FrequencyChange(conditions) > kMaxFrequencyChange) {
    conditions.add_notes("the frequency changed meanwhile: " + DescribeFrequencies(conditions));
  }
  if (options_.shares_agent_host && conditions.other_load() > kMaxOtherLoad) {
    conditions.add_notes("other processes used " + Format("%.2f", conditions.other_load()) +
                         " CPUs; the daemon shares the agent's machine, so the windows decide and "
                         "not the load");
  }
}

bool BoardWatch::is_warm(MeasureClock& clock) const {
  return ended_ns_ && clock.WallNs() - *ended_ns_ < kStaysWarmNs;
}

}  // namespace bitpilot
