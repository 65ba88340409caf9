#include "agent/fleet/board_locator.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "agent/fleet/board_admission.h"

namespace bitpilot {
namespace {

bool IsAddress(const Endpoint& endpoint) {
  in_addr address{};
  return endpoint.is_ipv6() || inet_pton(AF_INET, endpoint.host.c_str(), &address) == 1;
}

Result<Endpoint> EndpointOf(const BoardAddress& board) {
  Result<Endpoint> endpoint =
      ParseEndpoint(board.endpoint, board.connects ? EndpointUse::kListen : EndpointUse::kConnect);
  if (endpoint.ok()) return endpoint;
  return endpoint.status().WithContext(board.connects ? "listen"
                                                      : "endpoint of board '" + board.name + "'");
}

}  // namespace

BoardLocator::Means BoardLocator::Means::OfThisMachine() {
  return {ResolveEndpoint, EnsureBoardAdmission};
}

BoardLocator::BoardLocator(std::function<void()> has_answer, Means means)
    : has_answer_(std::move(has_answer)), means_(std::move(means)) {}

BoardLocator::~BoardLocator() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_ending_ = true;
    questions_.clear();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void BoardLocator::Ask(BoardNumber board, Locate locate) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!asked_.insert(board).second) return;
    questions_.push_back({board, std::move(locate)});
    if (questions_.size() > num_idle_ && threads_.size() < kMostThreads) {
      threads_.emplace_back([this] { Run(); });
    }
  }
  changed_.notify_all();
}

void BoardLocator::Forget(BoardNumber board) {
  const std::lock_guard<std::mutex> lock(mutex_);
  asked_.erase(board);
  std::erase_if(questions_, [board](const Question& one) { return one.board == board; });
  std::erase_if(answers_, [board](const Answer& one) { return one.board == board; });
}

std::optional<BoardLocator::Answer> BoardLocator::TakeAnswer() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (answers_.empty()) return std::nullopt;
  Answer answer = std::move(answers_.front());
  answers_.pop_front();
  asked_.erase(answer.board);
  return answer;
}

Result<BoardPlace> BoardLocator::PlaceOfAddress(const BoardAddress& board) {
  const Result<Endpoint> endpoint = EndpointOf(board);
  if (!endpoint.ok()) return endpoint.status();
  if (board.connects) {
    return Status(StatusCode::kNotFound, "where to listen for '" + board.name + "' is not tested");
  }
  if (!IsAddress(*endpoint)) {
    return Status(StatusCode::kNotFound, "'" + endpoint->host + "' is a name");
  }
  return BoardPlace{board, {*endpoint}};
}

void BoardLocator::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ++num_idle_;
    changed_.wait(lock, [this] { return is_ending_ || !questions_.empty(); });
    --num_idle_;
    if (is_ending_) return;
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    Answer answer = AnswerTo(question);
    lock.lock();
    // Of a board that was forgotten meanwhile nobody wants one.
    if (!asked_.contains(question.board)) continue;
    answers_.push_back(std::move(answer));
    lock.unlock();
    has_answer_();
    lock.lock();
  }
}

BoardLocator::Answer BoardLocator::AnswerTo(const Question& question) const {
  const auto failed = [&](Status status, bool is_final) {
    return Answer{question.board, std::move(status), is_final};
  };
  Result<BoardAddress> board = question.locate();
  if (!board.ok()) return failed(board.status(), /*is_final=*/true);
  const Result<Endpoint> endpoint = EndpointOf(*board);
  if (!endpoint.ok()) return failed(endpoint.status(), /*is_final=*/true);
  if (board->connects) {
    const Status admission = means_.test_admission();
    if (!admission.ok()) return failed(admission, /*is_final=*/true);
  }
  Result<std::vector<Endpoint>> addresses = means_.resolve(*endpoint);
  // A name service may come back, and so may a board that announces its own name. Where to listen is this
  // machine's own, and needs a person.
  if (!addresses.ok()) {
    return failed(board->connects ? addresses.status().WithContext("listen") : addresses.status(),
                  /*is_final=*/board->connects);
  }
  return Answer{question.board, BoardPlace{std::move(board).value(), std::move(addresses).value()},
                /*is_final=*/false};
}

}  // namespace bitpilot
