// FleetWatch: asks many boards at once what they do, or to drain, on the caller's thread. Each has its
// own BoardInquiry and link; one that does not answer keeps nobody waiting but the caller, and him no
// longer than he said.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/board_inquiry.h"
#include "agent/fleet/board_locator.h"
#include "agent/fleet/zmq_link.h"

namespace bitpilot {

class FleetWatch {
 public:
  // Polled ten times a second while it waits; may be empty.
  using Stop = std::function<bool()>;
  // Parallel to the boards; nothing: this one is not asked.
  using Questions = std::vector<std::optional<BoardQuestion>>;

  FleetWatch(std::vector<BoardAddress> boards, const AgentKeys& keys);
  ~FleetWatch();
  FleetWatch(const FleetWatch&) = delete;
  FleetWatch& operator=(const FleetWatch&) = delete;

  // How long a question may take.
  struct Patience {
    std::chrono::milliseconds normal{3000};
    std::chrono::milliseconds connecting = kConnectingPatience;  // with a board that connects to us
  };

  // Asks, and waits until each board has answered or failed, or `patience` is over, or `stop` returns
  // true. Connections stay for the next question. What came of it is in View().
  //
  // REQUIRES: questions.size() == size().
  void Ask(const Questions& questions, const Patience& patience, const Stop& stop);

  // The same question to all.
  void AskAll(const BoardQuestion& question, const Patience& patience, const Stop& stop);

  std::size_t size() const { return boards_.size(); }
  const BoardAddress& address(std::size_t board) const { return boards_[board].address; }
  const BoardView& View(std::size_t board) const { return boards_[board].inquiry.view(); }
  // How long ago a board was last heard of; nothing if it never was.
  std::optional<std::chrono::milliseconds> SeenAgo(std::size_t board) const;

 private:
  struct Watched {
    BoardAddress address;
    BoardInquiry inquiry;
    std::unique_ptr<ZmqLink> link;
    bool awaits_place = false;             // the link is to be opened once the locator has answered
    std::optional<BoardPlace> place = {};  // of a name, as of the latest answer
  };

  void Do(Watched& board, std::vector<ClientAction> actions);
  void OpenLinkOf(Watched& board);
  void Connect(Watched& board, const Result<BoardPlace>& place);
  void TakeAnswers();
  void TakeLinkEvents(const std::vector<ZmqLink*>& links);
  bool IsAnyAsking() const;
  void GiveUpLate(const Patience& patience, Instant begin, bool stopped);

  const AgentKeys keys_;
  ZmqHub hub_;  // outlives the links; the locator wakes it to the end
  std::vector<Watched> boards_;
  std::map<const ZmqLink*, std::size_t> boards_of_links_;
  BoardLocator locator_;  // its numbers are indices of boards_
};

}  // namespace bitpilot
