#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/study/config_fields.h"
#include "kernels/base/shell_word.h"

namespace bitpilot {
namespace {

// "--flag value" for every entry of the configuration that is a flag of `bitpilot search`.
std::vector<std::string> SearchFlags(const nlohmann::json& config, const std::string& file_name) {
  std::vector<std::string> flags;
  for (const FlagText& flag : FlagsOf(config)) {
    flags.push_back(std::string(flag.flag) + (flag.value ? " " + ShellWord(*flag.value) : ""));
  }
  flags.push_back("--study " + ShellWord("again-" + file_name));
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
  const std::string file = ShellWord(data.file_name);
  const auto config = nlohmann::json::parse(data.config_json, nullptr, /*allow_exceptions=*/false);
  return "<p>The same search again; the proof that every decision follows from what was observed; "
         "the "
         "proof that nothing was altered; what was decided, a line a decision:</p>" +
         Element("pre", "",
                 Wrap("bitpilot search", SearchFlags(config, data.file_name)) +
                     "\nbitpilot replay " + file + " --verify\nbitpilot log verify " + file +
                     "\nbitpilot replay " + file) +
         "<details><summary>Full configuration</summary>" +
         Element("pre", "", config.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)) +
         "</details>\n";
}

}  // namespace bitpilot
