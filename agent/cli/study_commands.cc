// bitpilot replay, report and log: what one does with a finished or running study.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/report/report.h"
#include "agent/search/agent_build.h"
#include "agent/search/search_session.h"
#include "agent/study/study.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

struct StudyFlags {
  std::string study;
  std::string output;
  bool verify = false;
  bool json = false;
};

// The log first: a damaged log would diverge somewhere later and name the wrong place.
Status RequireSoundLog(const std::string& path) {
  const Result<std::optional<LogProblem>> problem = VerifyLog(path);
  if (!problem.ok()) return problem.status();
  if (!problem->has_value()) return Status();
  return DataCorrupt(path + ": seq " + std::to_string((*problem)->seq) + ": " + (*problem)->what);
}

int RunReplay(const StudyFlags& flags) {
  if (Status status = RequireSoundLog(flags.study); !status.ok()) return Fail(status, flags.json);
  const Result<ReplayReport> report = VerifyReplay(flags.study);
  if (!report.ok()) return Fail(report.status().WithContext(flags.study), flags.json);
  if (flags.json) {
    PrintJson({{"type", "result"},
               {"verified", true},
               {"decisions", report->decisions},
               {"last_seq", report->last_seq},
               {"complete", report->complete},
               {"agent_builds", report->agent_builds},
               {"verified_by", AgentBuild()},
               {"fingerprints", report->fingerprints}});
  } else {
    std::printf("%s: %d decisions recomputed, all as logged, up to seq %lld%s\n",
                flags.study.c_str(), report->decisions, static_cast<long long>(report->last_seq),
                report->complete ? "" : " (the search has not ended)");
    const std::vector<std::string> here = {AgentBuild()};
    if (!report->agent_builds.empty() && report->agent_builds != here) {
      std::printf("it was written by %s, and verified by %s\n",
                  Joined(report->agent_builds).c_str(), here.front().c_str());
    }
    if (report->fingerprints.size() > 1) {
      std::printf(
          "its measurements have %zu fingerprints (%s): compare latencies within one only; "
          "`bitpilot report` says what changed\n",
          report->fingerprints.size(), Joined(report->fingerprints).c_str());
    }
  }
  return kExitDone;
}

int RunLogVerify(const StudyFlags& flags) {
  const Result<std::optional<LogProblem>> problem = VerifyLog(flags.study);
  if (!problem.ok()) return Fail(problem.status(), flags.json);
  const bool sound = !problem->has_value();
  if (flags.json) {
    nlohmann::json line = {{"type", "result"}, {"verified", sound}, {"study", flags.study}};
    if (!sound) line.update({{"seq", (*problem)->seq}, {"problem", (*problem)->what}});
    PrintJson(line);
  } else if (sound) {
    std::printf("%s: every event, measurement and the head are as they were written\n",
                flags.study.c_str());
  }
  if (sound) return kExitDone;
  std::fprintf(stderr, "bitpilot: %s: seq %lld: %s\n", flags.study.c_str(),
               static_cast<long long>((*problem)->seq), (*problem)->what.c_str());
  return kExitFailed;
}

Status WriteReportAsAsked(const StudyFlags& flags) {
  BITPILOT_RETURN_IF_ERROR(CheckOutput("--output", flags.output, flags.json));
  if (flags.output != kStandardOutput) return WriteReport(flags.study, flags.output);
  const Result<std::string> page = MakeReport(flags.study);
  if (!page.ok()) return page.status();
  std::fwrite(page->data(), 1, page->size(), stdout);
  return FlushStandardOutput();
}

int RunReport(const StudyFlags& flags) {
  const Status status = WriteReportAsAsked(flags);
  if (!status.ok()) return Fail(status, flags.json);
  if (flags.json) {
    PrintJson({{"type", "result"}, {"report", flags.output}});
  } else if (flags.output != kStandardOutput) {
    std::printf("wrote %s\n", flags.output.c_str());
  }
  return kExitDone;
}

std::shared_ptr<StudyFlags> AddStudyArgument(CLI::App& command) {
  auto flags = std::make_shared<StudyFlags>();
  command.add_option("STUDY", flags->study, "The study's SQLite file")->required();
  AddJsonFlag(command, flags->json);
  return flags;
}

}  // namespace

void AddReplayCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("replay", "Replay a study's logged episodes");
  const auto flags = AddStudyArgument(*command);
  command
      ->add_flag("--verify", flags->verify,
                 "Recompute every decision, ratio and table from what was logged, and compare")
      ->required();
  command->callback([flags, &exit_code] { exit_code = RunReplay(*flags); });
}

void AddReportCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("report", "Write a study's report, one self-contained HTML file");
  const auto flags = AddStudyArgument(*command);
  command->add_option("-o,--output", flags->output, "The HTML file; - for standard output")
      ->required();
  command->callback([flags, &exit_code] { exit_code = RunReport(*flags); });
}

void AddLogCommand(CLI::App& app, int& exit_code) {
  CLI::App* log = app.add_subcommand("log", "Work on a study's event log");
  log->require_subcommand(1);
  CLI::App* verify = log->add_subcommand(
      "verify", "Check every hash of the log; names the first bad seq (exit code 1)");
  const auto flags = AddStudyArgument(*verify);
  verify->callback([flags, &exit_code] { exit_code = RunLogVerify(*flags); });
}

}  // namespace bitpilot
