// bitpilot replay, report and log: what one does with a finished or running study.
#pragma once

#include <functional>
#include <string>

#include "agent/cli/command.h"
#include "agent/session/search_session.h"
#include "agent/session/study_file_check.h"
#include "kernels/base/status.h"

namespace bitpilot {

// The checks of a study that need all of the program, which takes a while to load (LibTorch).
struct StudyChecks {
  std::function<Result<ReplayReport>(const std::string& study)> verify_replay;
  std::function<Result<StudyFileCheck>(const std::string& study)> check_files;
  std::function<std::string()> agent_build;
};

void AddReplayCommand(CLI::App& app, int& exit_code, const StudyChecks& checks);
void AddReportCommand(CLI::App& app, int& exit_code);
void AddLogCommand(CLI::App& app, int& exit_code, const StudyChecks& checks);

}  // namespace bitpilot
