#include "agent/fleet/board_locator.h"

#include <arpa/inet.h>

#include <utility>

namespace bitpilot {
namespace {

bool IsAddress(const Endpoint& endpoint) {
  in_addr address{};
  return endpoint.is_ipv6() || inet_pton(AF_INET, endpoint.host.c_str(), &address) == 1;
}

}  // namespace

BoardLocator::BoardLocator(std::function<void()> has_answer, Resolver resolve)
    : has_answer_(std::move(has_answer)),
      resolve_(std::move(resolve)),
      thread_([this] { Run(); }) {}

BoardLocator::~BoardLocator() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_ending_ = true;
    questions_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

void BoardLocator::Ask(std::uint64_t question, Locate locate) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    questions_.push_back({question, std::move(locate)});
  }
  changed_.notify_all();
}

std::optional<BoardLocator::Answer> BoardLocator::TakeAnswer() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (answers_.empty()) return std::nullopt;
  Answer answer = std::move(answers_.front());
  answers_.pop_front();
  return answer;
}

Result<BoardPlace> BoardLocator::PlaceOfAddress(const BoardAddress& board) {
  if (board.connects) return BoardPlace{board, {}};
  const Result<Endpoint> endpoint = ParseEndpoint(board.endpoint, EndpointUse::kConnect);
  if (!endpoint.ok()) {
    return endpoint.status().WithContext("endpoint of board '" + board.name + "'");
  }
  if (!IsAddress(*endpoint)) {
    return Status(StatusCode::kNotFound, "'" + endpoint->host + "' is a name");
  }
  return BoardPlace{board, {*endpoint}};
}

void BoardLocator::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_ending_ || !questions_.empty(); });
    if (is_ending_) return;
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    Answer answer = AnswerTo(question);
    lock.lock();
    answers_.push_back(std::move(answer));
    lock.unlock();
    has_answer_();
    lock.lock();
  }
}

BoardLocator::Answer BoardLocator::AnswerTo(const Question& question) const {
  Result<BoardAddress> board = question.locate();
  if (!board.ok()) return {question.number, board.status(), /*is_final=*/true};
  const Result<Endpoint> endpoint = ParseEndpoint(board->endpoint, EndpointUse::kConnect);
  if (!endpoint.ok()) {
    return {question.number,
            endpoint.status().WithContext("endpoint of board '" + board->name + "'"),
            /*is_final=*/true};
  }
  Result<std::vector<Endpoint>> addresses = resolve_(*endpoint);
  // A name service may come back, and so may a board that announces its own name.
  if (!addresses.ok()) return {question.number, addresses.status(), /*is_final=*/false};
  return {question.number, BoardPlace{std::move(board).value(), std::move(addresses).value()},
          /*is_final=*/false};
}

}  // namespace bitpilot
