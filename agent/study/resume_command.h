// The commands that go on with a search, and that draw it, as people paste them.
#pragma once

#include <string>
#include <string_view>

namespace bitpilot {

// "bitpilot search --study STUDY --resume", with STUDY as a word of a shell.
std::string ResumeCommand(std::string_view study_path);

// "bitpilot report STUDY -o PAGE", PAGE being "a.html" of "a.db", and "a.seed1.html" of "a.seed1".
std::string ReportCommand(std::string_view study_path);

}  // namespace bitpilot
