// bitpilot profile: the board's own table of every layer at every pair of widths.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/profile_flags.h"
#include "agent/cli/search_display.h"
#include "agent/device/board_choice.h"
#include "agent/profile/build_lut.h"
#include "agent/profile/lut_export.h"
#include "agent/profile/measure_profile.h"
#include "agent/session/cpu_class.h"
#include "kernels/base/file_lock.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// unfinished: ProfileOptions::unfinished_path.
Status WhatAStopLeaves(const std::string& unfinished) {
  std::error_code error;
  if (!std::filesystem::exists(unfinished, error)) {
    return Status(StatusCode::kAborted, "stopped; nothing was measured yet");
  }
  return Status(StatusCode::kAborted, "stopped; what was measured is in " + unfinished +
                                          ", and the same command goes on from there");
}

Result<Lut> MeasureOnBoard(const ProfileFlags& flags, const Topology& topology,
                           SearchDisplay& display) {
  const ProfilePlan plan = MakeProfilePlan(topology, flags.settings);
  BoardOptions board_options;
  board_options.stop = StopRequested;
  board_options.notice = [&display](const std::string& text) { display.OnNotice(text); };
  const Result<std::unique_ptr<Board>> board = OpenChosenBoard(flags.board, board_options);
  const std::string unfinished = flags.exports.front() + ".unfinished";
  if (!board.ok()) return StopRequested() ? WhatAStopLeaves(unfinished) : board.status();
  const BoardInfo& info = (*board)->info();
  if (flags.board.fleet.empty() || info.shares_agent_host) LeaveToTheBoard(info.cpu, 1);
  ProfileOptions options;
  options.unfinished_path = unfinished;
  options.stop = StopRequested;
  bool announced = false;
  options.progress = [&](int done, int total, const std::string& note) {
    if (!announced) display.OnPhase("measuring networks beside uniform 8 bit", total);
    announced = true;
    display.OnProgress(done, note);
  };
  const Result<ProfileData> data = MeasureProfile(topology, flags.settings, plan, **board, options);
  if (!data.ok()) {
    return data.status().code() == StatusCode::kAborted ? WhatAStopLeaves(unfinished)
                                                        : data.status();
  }
  return BuildLut(topology, plan, *data);
}

void PrintForPeople(const Lut& lut, const std::vector<std::string>& exports) {
  std::printf(
      "%s: %zu entries from %s beside uniform 8 bit, which takes %.2f us "
      "(%.2f..%.2f; %s)\n",
      lut.name.c_str(), lut.entries.size(), Counted(lut.networks, "network").c_str(),
      lut.reference_ns * 1e-3, lut.reference_low_ns * 1e-3, lut.reference_high_ns * 1e-3,
      lut.source.c_str());
  std::printf(
      "error of the predicted ratio to uniform 8 bit, %s: %.1f %% in the "
      "median, %.1f %% at worst\n",
      Counted(static_cast<std::int64_t>(lut.checks.size()), "unseen network").c_str(),
      100.0 * lut.prediction_error_median(), 100.0 * lut.prediction_error_worst());
  if (lut.disturbed > 0)
    std::printf("%s in measurements that other work disturbed\n",
                Counted(lut.disturbed, "network was", "networks were").c_str());
  for (const std::string& path : exports) std::printf("wrote %s\n", path.c_str());
}

Json ResultLine(const Lut& lut, const std::vector<std::string>& exports) {
  return {{"type", "result"},
          {"model", lut.model},
          {"name", lut.name},
          {"isa", lut.board.is_model() ? Json(nullptr) : Json(lut.board.isa)},
          {"source", lut.source},
          {"entries", lut.entries.size()},
          {"networks", lut.networks},
          {"disturbed", lut.disturbed},
          {"latency_int8_median_ns", lut.reference_ns},
          {"checks", lut.checks.size()},
          {"prediction_error_median", lut.prediction_error_median()},
          {"prediction_error_worst", lut.prediction_error_worst()},
          {"exports", exports}};
}

// Claims all exports, and with the first one what is unfinished beside it, for this process.
//
// Errors: FileLock::Acquire()'s; CheckExports()'s, where another process wrote one meanwhile.
Result<std::vector<FileLock>> LockExports(const ProfileFlags& flags) {
  std::vector<FileLock> locks;
  for (const std::string& path : std::set(flags.exports.begin(), flags.exports.end())) {
    Result<FileLock> lock = FileLock::Acquire(path);
    if (!lock.ok()) return lock.status().WithContext("--export");
    locks.push_back(std::move(*lock));
  }
  BITPILOT_RETURN_IF_ERROR(CheckExports(flags));
  return locks;
}

Result<Lut> ProfileOrConvert(ProfileFlags& flags) {
  Result<ProfileInputs> inputs = CheckProfile(flags, Pipes::kRead);
  if (!inputs.ok()) return inputs.status();
  const Result<std::vector<FileLock>> locks = LockExports(flags);
  if (!locks.ok()) return locks.status();
  flags.settings.bits = inputs->bits;
  const Topology& topology = inputs->topology;
  SearchDisplay display(flags.json);
  Result<Lut> lut =
      flags.from.empty() ? MeasureOnBoard(flags, topology, display) : std::move(inputs->read);
  if (!lut.ok()) return lut;
  if (!flags.name.empty()) lut->name = flags.name;
  for (const std::string& path : flags.exports)
    BITPILOT_RETURN_IF_ERROR(ExportLut(*lut, topology, path));
  std::error_code ignored;
  if (flags.from.empty()) std::filesystem::remove(flags.exports.front() + ".unfinished", ignored);
  return lut;
}

int RunProfileCommand(ProfileFlags& flags) {
  StopOnSignals();
  const Result<Lut> lut = ProfileOrConvert(flags);
  if (!lut.ok()) return Fail(lut.status(), flags.json);
  if (flags.json) {
    PrintJson(ResultLine(*lut, flags.exports));
  } else {
    PrintForPeople(*lut, flags.exports);
  }
  return kExitDone;
}

}  // namespace

void AddProfileCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<ProfileFlags>();
  AddProfileFlags(app, *flags)->callback([flags, &exit_code] {
    exit_code = RunProfileCommand(*flags);
  });
}

}  // namespace bitpilot
