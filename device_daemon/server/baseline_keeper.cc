#include "device_daemon/server/baseline_keeper.h"

#include <cstdio>
#include <sstream>
#include <utility>

#include "device_daemon/energy/sysfs.h"
#include "device_daemon/measurement/board_baseline.h"
#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

constexpr char kFirstLine[] = "bitpilot board baseline 1";

std::string Exact(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

std::string ToText(const std::string& key, const v1::BoardBaseline& baseline) {
  std::string text = std::string(kFirstLine) + "\nkey " + key + "\n";
  if (baseline.has_idle_celsius()) text += "idle_celsius " + Exact(baseline.idle_celsius()) + "\n";
  if (baseline.has_canary_ns()) {
    text += "canary_ns " + Exact(baseline.canary_ns()) + "\ncanary_scatter " +
            Exact(baseline.canary_scatter()) + "\n";
  }
  return text + "end\n";
}

// Nothing if the text is not what ToText() makes for this key.
std::optional<v1::BoardBaseline> Parse(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  std::string first;
  std::string name;
  std::string its_key;
  if (!std::getline(lines, first) || first != kFirstLine || !(lines >> name >> its_key) ||
      name != "key" || its_key != key) {
    return std::nullopt;
  }
  v1::BoardBaseline baseline;
  while (lines >> name && name != "end") {
    double value = 0.0;
    if (!(lines >> value)) return std::nullopt;
    if (name == "idle_celsius") baseline.set_idle_celsius(value);
    if (name == "canary_ns") baseline.set_canary_ns(value);
    if (name == "canary_scatter") baseline.set_canary_scatter(value);
  }
  if (name != "end" || !CheckBaseline(baseline).ok()) return std::nullopt;
  return baseline;
}

}  // namespace

std::optional<std::string> BaselineKey(const std::filesystem::path& root,
                                       const v1::DeviceCapabilities& device) {
  const Result<std::string> boot_id = ReadSysfsLine(root / "proc/sys/kernel/random/boot_id");
  if (!boot_id.ok() || boot_id->empty()) return std::nullopt;
  v1::DeviceCapabilities lasting = device;
  lasting.clear_free_memory_bytes();
  lasting.clear_energy();
  return Sha256Hex(*boot_id + "\n" + lasting.SerializeAsString());
}

BaselineKeeper::BaselineKeeper(const std::string& store_folder, std::optional<std::string> key)
    : path_(store_folder + "/board_baseline"), key_(std::move(key)) {
  if (!key_) return;
  const Result<std::string> text = ReadFile(path_);
  if (!text.ok()) return;
  if (std::optional<v1::BoardBaseline> kept = Parse(*text, *key_)) baseline_ = std::move(*kept);
}

Status BaselineKeeper::Learn(const v1::BoardBaseline& seen) {
  BITPILOT_RETURN_IF_ERROR(CheckBaseline(seen));
  BITPILOT_RETURN_IF_ERROR(CheckImprovement(seen, baseline_));
  if (!ImproveBaseline(seen, baseline_) || !key_) return {};
  return WriteFileAtomically(path_, ToText(*key_, baseline_));
}

}  // namespace bitpilot
