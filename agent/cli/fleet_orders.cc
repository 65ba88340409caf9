#include "agent/cli/fleet_orders.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/board_row.h"
#include "agent/cli/command.h"
#include "agent/cli/fleet_choice.h"
#include "agent/fleet/fleet_watch.h"
#include "agent/fleet/quarantine_reason.h"
#include "kernels/base/quoted.h"
#include "kernels/base/utf8.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxReasonBytes = kMaxNameBytes - kQuarantinePrefix.size();

enum class OrderKind : std::uint8_t { kDrain, kUndrain, kQuarantine, kRelease };

struct OrderFlags : FleetFlags {
  OrderKind kind = OrderKind::kDrain;
  std::vector<std::string> boards;
  bool all = false;
  std::string reason;
  std::optional<double> timeout_s;
};

// What to send to a board that is as `board` says. A drained board has one reason, so a quarantine
// ends by `release` alone: whoever drained it for a new fan does not know that it failed.
//
// Errors: kInvalidArgument for an order that does not fit the board's state, with the one that does.
Result<BoardQuestion> QuestionOf(const OrderFlags& flags, const v1::BoardStatus& board) {
  using Kind = BoardQuestion::Kind;
  const bool is_quarantined = IsQuarantined(board);
  const std::string is_so = "it is " + DescribeDrain(board.drain_reason()) + ": ";
  switch (flags.kind) {
    case OrderKind::kDrain:
      if (is_quarantined) {
        return InvalidArgument(is_so + "it takes no work already, and `release` ends that");
      }
      // Who drains again without a reason does not take back the one that there is.
      return BoardQuestion{Kind::kDrain,
                           flags.reason.empty() ? board.drain_reason() : flags.reason};
    case OrderKind::kQuarantine:
      return BoardQuestion{Kind::kDrain, QuarantineReason(flags.reason, board)};
    case OrderKind::kUndrain:
      if (is_quarantined) return InvalidArgument(is_so + "`release` ends that");
      return BoardQuestion{Kind::kUndrain};
    case OrderKind::kRelease:
      if (board.draining() && !is_quarantined) {
        return InvalidArgument(is_so + "`undrain` ends that");
      }
      return BoardQuestion{Kind::kUndrain};
  }
  return Status(StatusCode::kInternal, "no such order");
}

Status CheckOrder(const OrderFlags& flags) {
  if (flags.boards.empty() != flags.all) {
    return InvalidArgument("say which boards are meant: their names, or --all");
  }
  if (WithoutControls(flags.reason) != flags.reason) {
    return InvalidArgument("--reason " + Quoted(flags.reason) +
                           ": boards tell it to agents, so it must be one line of UTF-8");
  }
  if (flags.kind == OrderKind::kQuarantine &&
      flags.reason.find_first_not_of(' ') == std::string::npos) {
    return InvalidArgument("--reason is empty: say what is wrong with the board");
  }
  if (flags.reason.size() <= kMaxReasonBytes) return {};
  return InvalidArgument("--reason has at most " + std::to_string(kMaxReasonBytes) +
                         " bytes, got " + std::to_string(flags.reason.size()));
}

std::string Describe(const BoardView& view) {
  const v1::BoardStatus& board = *view.board;
  if (!board.draining()) return "takes work";
  std::string text = DescribeDrain(board.drain_reason());
  if (board.state() == "TIMING" || board.state() == "INFERRING" || board.queue_size() > 0) {
    text += "; what it accepted is finished first";
  }
  return text;
}

int RunOrder(const OrderFlags& flags) {
  const Status valid = CheckOrder(flags);
  if (!valid.ok()) return Fail(valid, flags.json);
  Result<ChosenFleet> fleet = ReadChosenFleet(flags, flags.boards, "boards");
  if (!fleet.ok()) return Fail(fleet.status(), flags.json);
  StopOnSignals();
  FleetWatch watch(std::move(fleet->boards), fleet->keys);
  watch.AskAll({}, PatienceOf(flags.timeout_s), StopRequested);
  FleetWatch::Questions orders(watch.size());
  std::vector<Status> failures(watch.size());
  for (std::size_t i = 0; i < watch.size(); ++i) {
    const BoardView& view = watch.View(i);
    failures[i] = view.status;
    if (!view.status.ok()) continue;
    // An older daemon's answer to the order says what is wrong with it.
    Result<BoardQuestion> order = QuestionOf(flags, view.board.value_or(v1::BoardStatus()));
    if (!order.ok()) failures[i] = order.status();
    if (order.ok()) orders[i] = std::move(*order);
  }
  if (!StopRequested()) watch.Ask(orders, PatienceOf(flags.timeout_s), StopRequested);
  if (StopRequested()) {
    return Fail(Status(StatusCode::kAborted,
                       "stopped; `bitpilot fleet list` says which boards have the order"),
                flags.json);
  }
  bool all_ok = true;
  Json boards = Json::array();
  for (std::size_t i = 0; i < watch.size(); ++i) {
    const Status failure = orders[i] ? watch.View(i).status : failures[i];
    all_ok = all_ok && failure.ok();
    const std::string& name = watch.address(i).name;
    if (flags.json) {
      Json board = BoardJson(watch.address(i), watch.View(i), watch.SeenAgo(i));
      board["ok"] = failure.ok();
      board["error"] = failure.ok() ? Json(nullptr) : Json(failure.message());
      boards.push_back(std::move(board));
    } else if (failure.ok()) {
      std::printf("%s: %s\n", name.c_str(), Describe(watch.View(i)).c_str());
    } else {
      std::printf("%s: FAILED: %s\n", name.c_str(), WithoutControls(failure.message()).c_str());
    }
  }
  if (flags.json) PrintJson({{"type", "result"}, {"ok", all_ok}, {"boards", boards}});
  return all_ok ? kExitDone : kExitFailed;
}

void AddOrder(CLI::App& fleet, int& exit_code, OrderKind kind, const char* name, const char* help) {
  CLI::App* command = fleet.add_subcommand(name, help);
  const auto flags = std::make_shared<OrderFlags>();
  flags->kind = kind;
  command->add_option("boards", flags->boards, "Their names in the fleet file");
  command->add_flag("--all", flags->all, "All boards of the fleet file");
  if (kind == OrderKind::kDrain || kind == OrderKind::kQuarantine) {
    CLI::Option* reason =
        command->add_option("--reason", flags->reason, "Told to whoever asks for the board");
    if (kind == OrderKind::kQuarantine) reason->required();
  }
  AddTimeoutFlag(*command, flags->timeout_s);
  AddFleetFlags(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = RunOrder(*flags); });
}

}  // namespace

void AddFleetOrderCommands(CLI::App& fleet, int& exit_code) {
  AddOrder(fleet, exit_code, OrderKind::kDrain, "drain",
           "Give a board no new work, of any agent, until it is undrained; what it accepted is "
           "finished. Takes a key with the role admin on the board, as the next three do");
  AddOrder(fleet, exit_code, OrderKind::kUndrain, "undrain", "Give a drained board work again");
  AddOrder(fleet, exit_code, OrderKind::kQuarantine, "quarantine",
           "As drain, of a board that is not to be trusted: only `release` ends it. (A search that "
           "saw a board fail quarantines it for itself alone, until its health check passes)");
  AddOrder(fleet, exit_code, OrderKind::kRelease, "release",
           "End the quarantine that `quarantine` ordered");
}

}  // namespace bitpilot
