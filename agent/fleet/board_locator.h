// BoardLocator: finds out where boards are, on a thread of its own: a name service may take seconds,
// and so may the start of a local daemon, which no other board should wait for.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"
#include "proto/endpoint.h"

namespace bitpilot {

struct BoardPlace {
  BoardAddress board;
  std::vector<Endpoint> addresses;  // of its host, at least one; none of a board that connects
};

// All methods may be called from any thread.
class BoardLocator {
 public:
  // Where a board is now. Called on the locator's thread, which lives as long as the locator.
  using Locate = std::function<Result<BoardAddress>()>;
  using Resolver = std::function<Result<std::vector<Endpoint>>(const Endpoint&)>;
  struct Answer {
    std::uint64_t question = 0;
    Result<BoardPlace> place;
    bool is_final = false;  // of a failure: `locate` said so, or the endpoint cannot be read
  };

  // has_answer: called on the locator's thread whenever TakeAnswer() has something new.
  explicit BoardLocator(std::function<void()> has_answer, Resolver resolve = ResolveEndpoint);
  ~BoardLocator();
  BoardLocator(const BoardLocator&) = delete;
  BoardLocator& operator=(const BoardLocator&) = delete;

  // Queues a question. One whose answer nobody waits for any more may stay.
  void Ask(std::uint64_t question, Locate locate);
  std::optional<Answer> TakeAnswer();

  // The addresses of an endpoint whose host is an address itself, and of a board that connects to this
  // agent: no name service is asked.
  //
  // Errors: kInvalidArgument as ParseEndpoint(); kNotFound if it is a name.
  static Result<BoardPlace> PlaceOfAddress(const BoardAddress& board);

 private:
  struct Question {
    std::uint64_t number = 0;
    Locate locate;
  };

  void Run();
  Answer AnswerTo(const Question& question) const;

  const std::function<void()> has_answer_;
  const Resolver resolve_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Question> questions_;
  std::deque<Answer> answers_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace bitpilot
