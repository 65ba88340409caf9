#include "agent/cli/study_commands.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/episodes_output.h"
#include "agent/report/report.h"
#include "agent/study/class_fingerprints.h"
#include "agent/study/episodes.h"
#include "agent/study/study.h"
#include "kernels/base/file_io.h"
#include "kernels/base/joined.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

constexpr char kWhileItRuns[] = "Only reads the study: safe while its search runs.";

struct StudyFlags {
  std::string study;
  std::string output;
  bool verify = false;
  bool files = false;
  bool json = false;
};

// The log first: a damaged log would diverge somewhere later and name the wrong place.
Status RequireSoundLog(const std::string& path) {
  const Result<std::optional<LogProblem>> problem = VerifyLog(path);
  if (!problem.ok()) return problem.status();
  if (!problem->has_value()) return Status();
  return DataCorrupt(path + ": seq " + std::to_string((*problem)->seq) + ": " + (*problem)->what);
}

// For people; scripts read "end_may_be_missing".
void WarnOfMissingEnd(const StudyFlags& flags) {
  if (!MayLackItsEnd(flags.study)) return;
  std::fprintf(stderr, "bitpilot: warning: %s\n", MissingEndText(flags.study).c_str());
}

Result<Episodes> EpisodesOf(const std::string& path) {
  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path);
  if (!study.ok()) return study.status();
  const Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status();
  Result<Episodes> episodes = ReadEpisodes((*study)->config_json(), *events);
  if (!episodes.ok()) return episodes.status().WithContext(path);
  return episodes;
}

int RunEpisodes(const StudyFlags& flags) {
  const Result<Episodes> episodes = EpisodesOf(flags.study);
  if (!episodes.ok()) return Fail(episodes.status(), flags.json);
  PrintEpisodes(flags.study, *episodes, flags.json);
  return kExitDone;
}

int RunReplay(const StudyFlags& flags, const StudyChecks& checks) {
  WarnOfMissingEnd(flags);
  if (Status status = RequireSoundLog(flags.study); !status.ok()) return Fail(status, flags.json);
  if (!flags.verify) return RunEpisodes(flags);
  const Result<ReplayReport> report = checks.verify_replay(flags.study);
  if (!report.ok()) return Fail(report.status().WithContext(flags.study), flags.json);
  if (flags.json) {
    PrintJson({{"type", "result"},
               {"verified", true},
               {"decisions", report->decisions},
               {"last_seq", report->last_seq},
               {"end_may_be_missing", MayLackItsEnd(flags.study)},
               {"complete", report->complete},
               {"agent_builds", report->agent_builds},
               {"verified_by", checks.agent_build()},
               {"fingerprints", report->fingerprints},
               {"class_fingerprints", report->class_fingerprints}});
  } else {
    std::printf("%s: %s recomputed, all as logged, up to seq %lld%s\n", flags.study.c_str(),
                Counted(report->decisions, "decision").c_str(),
                static_cast<long long>(report->last_seq),
                report->complete ? "" : " (the search has not ended)");
    const std::vector<std::string> here = {checks.agent_build()};
    if (!report->agent_builds.empty() && report->agent_builds != here) {
      std::printf("it was written by %s, and verified by %s\n",
                  Joined(report->agent_builds).c_str(), here.front().c_str());
    }
    // Boards of a class differ in their names: that alone is nothing to be told.
    const std::string several = DescribeSeveralFingerprints(report->class_fingerprints);
    if (!several.empty()) {
      std::printf(
          "its measurements have several fingerprints: %s: compare latencies within one only; "
          "`bitpilot report` says what changed\n",
          several.c_str());
    }
  }
  return kExitDone;
}

void PrintFileCheck(const StudyFileCheck& check) {
  std::printf("%s what the log says",
              Counted(check.num_verified, "file holds", "files hold").c_str());
  if (check.num_without_hash > 0) {
    std::printf("; of %d more an older bitpilot logged no hash", check.num_without_hash);
  }
  std::printf("\n");
}

int RunLogVerify(const StudyFlags& flags, const StudyChecks& checks) {
  WarnOfMissingEnd(flags);
  const Result<std::optional<LogProblem>> problem = VerifyLog(flags.study);
  if (!problem.ok()) return Fail(problem.status(), flags.json);
  const bool sound = !problem->has_value();
  StudyFileCheck check;
  if (sound && flags.files) {
    Result<StudyFileCheck> checked = checks.check_files(flags.study);
    if (!checked.ok()) return Fail(checked.status(), flags.json);
    check = std::move(*checked);
  }
  const bool verified = sound && check.problems.empty() && check.missing_inputs.empty();
  if (flags.json) {
    nlohmann::json line = {{"type", "result"},
                           {"verified", verified},
                           {"study", flags.study},
                           {"end_may_be_missing", MayLackItsEnd(flags.study)}};
    if (!sound) line.update({{"seq", (*problem)->seq}, {"problem", (*problem)->what}});
    if (sound && flags.files) {
      line["files"] = {{"verified", check.num_verified},
                       {"without_hash", check.num_without_hash},
                       {"problems", check.problems},
                       {"missing_inputs", check.missing_inputs}};
    }
    PrintJson(line);
  } else if (sound) {
    std::printf("%s: every event, measurement and the head are as they were written\n",
                flags.study.c_str());
    if (flags.files) PrintFileCheck(check);
  }
  for (const auto* findings : {&check.problems, &check.missing_inputs}) {
    for (const std::string& finding : *findings) {
      std::fprintf(stderr, "bitpilot: %s\n", finding.c_str());
    }
  }
  if (!sound) {
    std::fprintf(stderr, "bitpilot: %s: seq %lld: %s\n", flags.study.c_str(),
                 static_cast<long long>((*problem)->seq), (*problem)->what.c_str());
  }
  return verified ? kExitDone : kExitFailed;
}

Status WriteReportAsAsked(const StudyFlags& flags) {
  BITPILOT_RETURN_IF_ERROR(CheckOutput("--output", flags.output, flags.json, {flags.study}));
  if (flags.output != kStandardOutput) return WriteReport(flags.study, flags.output);
  const Result<std::string> page = MakeReport(flags.study);
  if (!page.ok()) return page.status();
  std::fwrite(page->data(), 1, page->size(), stdout);
  return FlushStandardOutput();
}

int RunReport(const StudyFlags& flags) {
  WarnOfMissingEnd(flags);
  const Status status = WriteReportAsAsked(flags);
  if (!status.ok()) return Fail(status, flags.json);
  if (flags.json) {
    PrintJson({{"type", "result"}, {"report", flags.output}});
  } else if (flags.output != kStandardOutput) {
    std::printf("wrote %s\n", flags.output.c_str());
  }
  return kExitDone;
}

// Ahead of what ends the help of every command.
void AddFooter(CLI::App& command, const std::string& text) {
  command.footer(text + "\n" + command.get_footer());
}

std::shared_ptr<StudyFlags> AddStudyArgument(CLI::App& command) {
  auto flags = std::make_shared<StudyFlags>();
  command.add_option("STUDY", flags->study, "The study's SQLite file")->required();
  AddJsonFlag(command, flags->json);
  return flags;
}

}  // namespace

void AddReplayCommand(CLI::App& app, int& exit_code, const StudyChecks& checks) {
  CLI::App* command = app.add_subcommand(
      "replay", "Print what a study decided and what came of it, a line a decision; or verify it");
  AddFooter(*command,
            std::string("Each decision has a number (#3; ticket of --json), by which later ones "
                        "name the place that it left.\n") +
                kWhileItRuns);
  const auto flags = AddStudyArgument(*command);
  command->add_flag("--verify", flags->verify,
                    "Instead recompute every decision, ratio and table from what was logged, and "
                    "compare");
  command->callback([flags, checks, &exit_code] { exit_code = RunReplay(*flags, checks); });
}

void AddReportCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("report", "Write a study's report, one self-contained HTML file");
  AddFooter(*command, kWhileItRuns);
  const auto flags = AddStudyArgument(*command);
  command->add_option("-o,--output", flags->output, "The HTML file; - for standard output")
      ->required();
  command->callback([flags, &exit_code] { exit_code = RunReport(*flags); });
}

void AddLogCommand(CLI::App& app, int& exit_code, const StudyChecks& checks) {
  CLI::App* log = app.add_subcommand("log", "Work on a study's event log");
  log->require_subcommand(1);
  CLI::App* verify = log->add_subcommand(
      "verify", "Check every hash of the log; names the first bad seq (exit code 1)");
  AddFooter(*verify, kWhileItRuns);
  const auto flags = AddStudyArgument(*verify);
  verify->add_flag("--files", flags->files,
                   "Also compare with the hashes that the log holds: every network and checkpoint "
                   "beside the study, and the weights, images, teacher and model board's table "
                   "that the search began from. Exit code 1 if one has changed, or is not there to "
                   "be compared; what the search began from and is there no longer is listed "
                   "apart (--json: files.missing_inputs), and harms nothing but a resume");
  verify->callback([flags, checks, &exit_code] { exit_code = RunLogVerify(*flags, checks); });
}

}  // namespace bitpilot
