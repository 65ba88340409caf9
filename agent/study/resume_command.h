// The command that goes on with a search, as people paste it.
#pragma once

#include <string>
#include <string_view>

namespace bitpilot {

// "bitpilot search --study STUDY --resume", with STUDY as a word of a shell.
std::string ResumeCommand(std::string_view study_path);

}  // namespace bitpilot
