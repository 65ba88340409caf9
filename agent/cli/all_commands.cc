#include "agent/cli/all_commands.h"

#include "agent/cli/study_commands.h"
#include "agent/session/agent_build.h"

namespace bitpilot {

void AddAllCommands(CLI::App& app, int& exit_code) {
  const StudyChecks checks = {VerifyReplay, CheckStudyFiles, AgentBuild};
  AddSearchCommand(app, exit_code);
  AddEvaluateCommand(app, exit_code);
  AddProfileCommand(app, exit_code);
  AddFitEnergyCommand(app, exit_code);
  AddTrainCommand(app, exit_code);
  AddReportCommand(app, exit_code);
  AddReplayCommand(app, exit_code, checks);
  AddLogCommand(app, exit_code, checks);
  AddFleetCommand(app, exit_code);
}

}  // namespace bitpilot
