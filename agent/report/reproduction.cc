#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/report_config.h"

namespace bitpilot {
namespace {

std::string ShellQuote(const std::string& text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:,=+@";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// "--flag value" for every entry of the configuration that is a flag of `bitpilot search`.
std::vector<std::string> SearchFlags(const ReportData& data) {
  std::vector<std::string> flags;
  const auto add = [&](const std::string& flag, const std::string& value) {
    if (!value.empty()) flags.push_back(flag + " " + ShellQuote(value));
  };
  for (const char* name : {"model", "weights", "data", "device", "fleet", "board", "cpu", "meter",
                           "energy", "policy"}) {
    add("--" + std::string(name), ConfigText(data, name));
  }
  add("--weight-widths", ConfigText(data, "weight_widths"));
  add("--activation-widths", ConfigText(data, "activation_widths"));
  if (ConfigIs(data, "search_ends", true)) flags.emplace_back("--search-ends");
  if (ConfigIs(data, "fast", true)) flags.emplace_back("--fast");
  const std::string ratio = ConfigText(data, "max_latency_ratio");
  add("--max-latency", ratio.empty() ? "" : ratio + "x");
  const std::string energy_ratio = ConfigText(data, "max_energy_ratio");
  add("--max-energy", energy_ratio.empty() ? "" : energy_ratio + "x");
  add("--max-size", ConfigText(data, "max_weight_bytes"));
  add("--min-accuracy", ConfigText(data, "min_accuracy"));
  add("--measurements", ConfigText(data, "measurements"));
  add("--train-batches", ConfigText(data, "train_batches"));
  add("--batch-size", ConfigText(data, "batch_size"));
  add("--learning-rate", ConfigText(data, "learning_rate"));
  if (ConfigIs(data, "distill", false)) flags.emplace_back("--no-distill");
  add("--calibration-images", ConfigText(data, "calibration_images"));
  add("--table-seconds", ConfigText(data, "table_seconds"));
  add("--seed", ConfigText(data, "seed"));
  add("--study", "again-" + data.file_name);
  return flags;
}

// The command on lines of at most 96 characters, as a shell takes them.
std::string Wrap(std::string command, const std::vector<std::string>& flags) {
  std::size_t column = command.size();
  for (const std::string& flag : flags) {
    if (column + flag.size() > 94) {
      command += " \\\n   ";
      column = 3;
    }
    command += " " + flag;
    column += flag.size() + 1;
  }
  return command;
}

}  // namespace

std::string Reproduction(const ReportData& data) {
  const std::string file = ShellQuote(data.file_name);
  const auto config = nlohmann::json::parse(data.config_json, nullptr, /*allow_exceptions=*/false);
  return "<p>The same search again; the proof that every decision follows from what was observed; "
         "the "
         "proof that nothing was altered:</p>" +
         Element("pre", "",
                 Wrap("bitpilot search", SearchFlags(data)) + "\nbitpilot replay " + file +
                     " --verify\nbitpilot log verify " + file) +
         "<details><summary>Full configuration</summary>" +
         Element("pre", "", config.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)) +
         "</details>\n";
}

}  // namespace bitpilot
