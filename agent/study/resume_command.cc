#include "agent/study/resume_command.h"

#include "kernels/base/shell_word.h"

namespace bitpilot {

std::string ResumeCommand(std::string_view study_path) {
  return "bitpilot search --study " + ShellWord(study_path) + " --resume";
}

std::string ReportCommand(std::string_view study_path) {
  constexpr std::string_view kEnding = ".db";
  std::string_view name = study_path;
  if (name.ends_with(kEnding)) name.remove_suffix(kEnding.size());
  return "bitpilot report " + ShellWord(study_path) + " -o " +
         ShellWord(std::string(name) + ".html");
}

}  // namespace bitpilot
