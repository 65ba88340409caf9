// The board's state as far as it changes how fast and at what energy networks run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "device_daemon/energy/thermal_zones.h"

namespace bitpilot {

struct CpuFrequency {
  std::string cpu;       // "cpu0"
  std::string governor;  // Empty where the system does not tell.
  std::int64_t current_khz = 0;
  std::int64_t min_khz = 0;
  std::int64_t max_khz = 0;
};

// Raspberry Pi firmware's get_throttled: what happens now, and what has happened since boot.
struct ThrottleBits {
  bool under_voltage = false;
  bool frequency_capped = false;
  bool throttled = false;
  bool soft_temperature_limit = false;
  bool any_since_boot = false;
  std::uint32_t bits = 0;  // as the firmware gives them
};

struct BoardState {
  std::vector<CpuFrequency> frequencies;
  std::vector<ThermalZone> zones;
  std::optional<ThrottleBits> throttle;
};

ThrottleBits ParseThrottleBits(std::uint32_t bits);

// Reads cpufreq, thermal zones and the throttle bits below `root` (usually "/"). What the system
// does not tell is absent.
BoardState ReadBoardState(const std::filesystem::path& root);

// What speaks against measuring on CPU number `cpu` (-1: on any) in this state, in words; empty if
// nothing. One line for the governor, however many CPUs have it.
std::vector<std::string> FindStateConcerns(const BoardState& state, int cpu);

}  // namespace bitpilot
