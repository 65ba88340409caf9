// FleetClassBoards' part that waits for the first board of each class.
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/board_reports.h"
#include "agent/fleet/class_kernels.h"
#include "agent/fleet/class_name.h"
#include "agent/fleet/first_named.h"
#include "agent/fleet/fleet_class_boards_impl.h"
#include "agent/fleet/stopped.h"
#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

using fleet::BoardReport;
using fleet::BoardState;
using std::chrono::steady_clock;

}  // namespace

bool FleetClassBoards::IsListedFor(const BoardReport& report, const std::string& on) const {
  const std::vector<std::string>& tags = tags_.at(report.id);
  return std::find(tags.begin(), tags.end(), on) != tags.end();
}

std::vector<std::string> FleetClassBoards::Describe(const std::vector<BoardReport>& all,
                                                    const std::string& on) const {
  std::vector<std::string> texts;
  for (const BoardReport& report : all) {
    if (!IsListedFor(report, on)) continue;
    const auto left_out = report.left_out_of.find(on);
    const bool is_out = left_out != report.left_out_of.end();
    const std::string& why = is_out ? left_out->second : report.why;
    texts.push_back("'" + report.name + "' is " +
                    std::string(ToString(is_out ? BoardState::kLeftOut : report.state)) +
                    (why.empty() ? "" : " (" + why + ")"));
  }
  return texts;
}

void FleetClassBoards::AddMember(const std::string& on, fleet::BoardId board,
                                 const BoardInfo& info) {
  members_[on] = std::make_unique<ClassMemberBoard>(member_fleet_, on, board, info);
  if (std::string text = ReadClassKernels(info); !text.empty()) {
    fleet_.TellKernels(on, std::move(text));
  }
}

Status FleetClassBoards::WaitForClasses(const std::vector<std::string>& tags) {
  const auto begun = steady_clock::now();
  Status failure;
  const auto lacks_a_board = [&](const std::string& on) { return !members_.contains(on); };
  const auto look = [&](const std::vector<BoardReport>& all, const std::string& on) {
    for (const BoardReport& report : all) {
      const std::optional<BoardInfo> info = fleet_.InfoOf(report.id);
      if (!(IsOf(report, on) || WaitsFor(report, on)) || !Works(report) || !info) continue;
      return AddMember(on, report.id, *info);
    }
    // What the class was like is known, and what no board is there for is answered so, as later on.
    const auto known = options_.expected.find(on);
    if (options_.answers_missing && known != options_.expected.end()) {
      if (steady_clock::now() - begun < options_.hear_all) return;
      AddMember(on, /*board=*/0, known->second);
      if (options_.notice) {
        options_.notice(ClassLabel(on) + " has no board now: " + FirstNamed(Describe(all, on)) +
                        "; it goes on without one");
      }
      return;
    }
    const bool is_late = options_.max_wait && steady_clock::now() - begun >= *options_.max_wait;
    const bool all_failed = std::all_of(all.begin(), all.end(), [&](const BoardReport& report) {
      return report.state == BoardState::kFailed || !IsListedFor(report, on);
    });
    const auto is_out = [&](const BoardReport& report) { return report.left_out_of.contains(on); };
    const bool all_out =
        std::any_of(all.begin(), all.end(), is_out) &&
        std::all_of(all.begin(), all.end(), [&](const BoardReport& report) {
          return is_out(report) || report.state == BoardState::kFailed || !IsListedFor(report, on);
        });
    if (!is_late && !all_failed && !all_out) return;
    const std::string after = is_late ? " that works, after " +
                                            std::to_string(options_.max_wait->count() / 1000) +
                                            " s (--max-wait)"
                                      : "";
    failure = {all_out ? StatusCode::kVersionMismatch : StatusCode::kUnavailable,
               ClassLabel(on) + " has no board" +
                   (all_out ? " that is still like those that it began with" : after) + ": " +
                   Joined(Describe(all, on))};
  };
  constexpr auto kTellAfter = std::chrono::seconds(3);
  bool was_told = false;
  bool stopped = false;
  (void)fleet_.WaitForAny({}, [&] {
    stopped = options_.stop && options_.stop();
    const std::vector<BoardReport> all = fleet_.Boards();
    for (const std::string& on : tags) {
      if (lacks_a_board(on)) look(all, on);
    }
    const bool is_complete = std::none_of(tags.begin(), tags.end(), lacks_a_board);
    const bool hears_more = steady_clock::now() - begun < options_.hear_all &&
                            std::any_of(all.begin(), all.end(), [](const BoardReport& report) {
                              return report.state == BoardState::kConnecting;
                            });
    if (stopped || !failure.ok() || (is_complete && !hears_more)) return true;
    if (!was_told && options_.notice && steady_clock::now() - begun >= kTellAfter) {
      was_told = true;
      for (const std::string& on : tags) {
        if (!lacks_a_board(on)) continue;
        options_.notice("waiting for a board of " + ClassLabel(on) + ": " +
                        FirstNamed(Describe(all, on)));
      }
    }
    return false;
  });
  return stopped ? Stopped() : failure;
}

}  // namespace bitpilot
