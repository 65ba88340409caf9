#include "agent/study/resume_command.h"

#include "kernels/base/shell_word.h"

namespace bitpilot {

std::string ResumeCommand(std::string_view study_path) {
  return "bitpilot search --study " + ShellWord(study_path) + " --resume";
}

}  // namespace bitpilot
