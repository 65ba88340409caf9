// BoardLocator: finds out where boards are, on threads of its own: a name service may take seconds, and so
// may the start of a local daemon or the test of a port, which no other board should wait for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"
#include "proto/endpoint.h"

namespace bitpilot {

struct BoardPlace {
  BoardAddress board;
  // Of its host; of a board that connects to this agent, of where to listen for it. At least one.
  std::vector<Endpoint> addresses;
};

// Its threads start as questions come that no idle one takes, and stay.
//
// All methods may be called from any thread.
class BoardLocator {
 public:
  // So many names can be looked up at a time: switched-off boards, whose names cost seconds each, keep
  // nobody waiting until there are more of them, and then only who was never found before.
  static constexpr std::size_t kMostThreads = 32;

  // The caller's name for a board.
  using BoardNumber = std::uint64_t;
  // Where a board is now. Called on a locator's thread, one call a board at a time.
  using Locate = std::function<Result<BoardAddress>()>;
  struct Answer {
    BoardNumber board = 0;
    Result<BoardPlace> place;
    bool is_final = false;  // of a failure: only a person can mend it
  };
  // What takes its time. Called on several threads at once.
  struct Means {
    std::function<Result<std::vector<Endpoint>>(const Endpoint&)> resolve;
    std::function<Status()> test_admission;  // before a port is opened for boards that connect

    static Means OfThisMachine();  // ResolveEndpoint(), EnsureBoardAdmission()
  };

  // has_answer: called on a locator's thread whenever TakeAnswer() has something new.
  explicit BoardLocator(std::function<void()> has_answer, Means means = Means::OfThisMachine());
  // Waits for the questions that are being answered; those that wait are dropped.
  ~BoardLocator();
  BoardLocator(const BoardLocator&) = delete;
  BoardLocator& operator=(const BoardLocator&) = delete;

  // Asks where a board is. There is one question of a board at a time: asked again before its answer
  // was taken, this does nothing.
  void Ask(BoardNumber board, Locate locate);
  // There will be no answer for a board, which is not asked for again; what is being looked up for it is
  // waited for by the destructor alone.
  void Forget(BoardNumber board);
  // The oldest answer.
  std::optional<Answer> TakeAnswer();

  // The address of an endpoint whose host is an address itself: nothing needs to be looked up.
  //
  // Errors: kInvalidArgument as ParseEndpoint(); kNotFound if it must be asked for: it is a name, or of a
  // board that connects to this agent.
  static Result<BoardPlace> PlaceOfAddress(const BoardAddress& board);

 private:
  struct Question {
    BoardNumber board = 0;
    Locate locate;
  };

  void Run();
  Answer AnswerTo(const Question& question) const;

  const std::function<void()> has_answer_;
  const Means means_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Question> questions_;  // that no thread has taken yet
  std::set<BoardNumber> asked_;     // boards whose answer was not taken yet
  std::deque<Answer> answers_;
  std::size_t num_idle_ = 0;  // threads
  bool is_ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace bitpilot
