#include "agent/fleet/fleet_watch.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <variant>

#include "agent/fleet/steady_now.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{100};

}  // namespace

FleetWatch::FleetWatch(std::vector<BoardAddress> boards, const AgentKeys& keys)
    : keys_(keys), locator_([this] { hub_.Wake(); }) {
  boards_.reserve(boards.size());
  for (BoardAddress& address : boards) {
    const std::string label = "board '" + address.name + "' at " + address.endpoint;
    boards_.push_back({std::move(address),
                       BoardInquiry(label, "bitpilot " BITPILOT_VERSION, keys.public_key),
                       std::make_unique<ZmqLink>(hub_)});
    boards_of_links_[boards_.back().link.get()] = boards_.size() - 1;
  }
}

FleetWatch::~FleetWatch() = default;

void FleetWatch::AskAll(const BoardQuestion& question, const Patience& patience, const Stop& stop) {
  Ask(Questions(size(), question), patience, stop);
}

void FleetWatch::Ask(const Questions& questions, const Patience& patience, const Stop& stop) {
  BITPILOT_CHECK(questions.size() == size());
  const Instant begin = SteadyNow();
  TakeLinkEvents(hub_.Wait(milliseconds{0}));  // links that ended since the last question
  for (std::size_t i = 0; i < size(); ++i) {
    if (questions[i]) Do(boards_[i], boards_[i].inquiry.Ask(*questions[i], SteadyNow()));
  }
  while (IsAnyAsking()) {
    TakeLinkEvents(hub_.Wait(kLongestWait));
    TakeAnswers();
    GiveUpLate(patience, begin, stop && stop());
  }
}

// Boards for which the time is over; all of them if `stopped`.
void FleetWatch::GiveUpLate(const Patience& patience, Instant begin, bool stopped) {
  for (Watched& board : boards_) {
    const bool connects = board.address.connects;
    const milliseconds limit = connects ? patience.connecting : patience.normal;
    if (!stopped && SteadyNow() - begin < limit) continue;
    char in_time[32];
    std::snprintf(in_time, sizeof in_time, " within %.4g s",
                  1e-3 * static_cast<double>(limit.count()));
    Do(board, board.inquiry.GiveUp(stopped    ? "stopped"
                                   : connects ? std::string("it did not connect") + in_time
                                              : std::string("no word from a bitpilotd") + in_time));
  }
}

std::optional<milliseconds> FleetWatch::SeenAgo(std::size_t board) const {
  const std::optional<Instant>& seen = View(board).seen;
  if (!seen) return std::nullopt;
  return SteadyNow() - *seen;
}

bool FleetWatch::IsAnyAsking() const {
  return std::any_of(boards_.begin(), boards_.end(),
                     [](const Watched& board) { return board.inquiry.is_asking(); });
}

void FleetWatch::Do(Watched& board, std::vector<ClientAction> actions) {
  for (ClientAction& action : actions) {
    if (std::holds_alternative<OpenLink>(action)) {
      OpenLinkOf(board);
    } else if (std::holds_alternative<CloseLink>(action)) {
      board.awaits_place = false;
      board.link->Close();
    } else if (const auto* send = std::get_if<SendMessage>(&action)) {
      board.link->Send(send->message);
    }
  }
}

void FleetWatch::OpenLinkOf(Watched& board) {
  const Result<BoardPlace> place = BoardLocator::PlaceOfAddress(board.address);
  if (place.status().code() != StatusCode::kNotFound) return Connect(board, place);
  locator_.Ask(static_cast<BoardLocator::BoardNumber>(&board - boards_.data()),
               [address = board.address] { return Result<BoardAddress>(address); });
  board.awaits_place = !board.place;
  if (board.place) Connect(board, *board.place);
}

void FleetWatch::Connect(Watched& board, const Result<BoardPlace>& place) {
  Status status = place.status();
  if (place.ok()) status = board.link->Open(place->board, place->addresses, keys_);
  if (status.ok()) return;
  Do(board, board.inquiry.Step(LinkImpossible{std::move(status)}, SteadyNow()));
}

void FleetWatch::TakeAnswers() {
  while (const std::optional<BoardLocator::Answer> answer = locator_.TakeAnswer()) {
    Watched& board = boards_.at(answer->board);
    if (answer->place.ok()) board.place = *answer->place;
    if (std::exchange(board.awaits_place, false)) Connect(board, answer->place);
  }
}

void FleetWatch::TakeLinkEvents(const std::vector<ZmqLink*>& links) {
  for (ZmqLink* link : links) {
    Watched& board = boards_[boards_of_links_.at(link)];
    // Of a board that floods us no more than this a round: others come first.
    constexpr int kEventsARound = 64;
    for (int i = 0; i < kEventsARound; ++i) {
      std::optional<ClientEvent> event = link->Next();
      if (!event) break;
      Do(board, board.inquiry.Step(std::move(*event), SteadyNow()));
    }
  }
}

}  // namespace bitpilot
