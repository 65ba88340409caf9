#include "agent/fleet/board_admission.h"

#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

#include "agent/fleet/zmq_link.h"
#include "proto/zap.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// How long the listed key may take, and how long strangers are waited for after it got in.
constexpr milliseconds kListedLimit{5000};
constexpr milliseconds kStrangerWait{200};
constexpr char kListed[] = "a listed key";

// A port for the test, and those who try to get in.
class TestPort {
 public:
  explicit TestPort(bool has_admission) {
    if (has_admission) admission_.emplace(context_);
    server_.set(zmq::sockopt::linger, 0);
    SecureAsServer(server_, keys_.secret_key);
    server_.bind("tcp://127.0.0.1:*");
  }
  ~TestPort() {
    for (zmq::socket_t& visitor : visitors_) visitor.close();
  }
  TestPort(const TestPort&) = delete;
  TestPort& operator=(const TestPort&) = delete;

  void Admit(const std::string& public_key) { admission_->Admit(public_key); }
  const std::string& public_key() const { return keys_.public_key; }

  // Connects, and says its name.
  void Visit(const std::string& name, const std::string& server_key,
             const std::optional<AgentKeys>& keys) {
    zmq::socket_t& visitor = visitors_.emplace_back(context_, zmq::socket_type::dealer);
    visitor.set(zmq::sockopt::linger, 0);
    if (keys) {
      visitor.set(zmq::sockopt::curve_serverkey, server_key);
      visitor.set(zmq::sockopt::curve_publickey, keys->public_key);
      visitor.set(zmq::sockopt::curve_secretkey, keys->secret_key);
    }
    visitor.connect(server_.get(zmq::sockopt::last_endpoint));
    visitor.send(zmq::buffer(name), zmq::send_flags::dontwait);
  }

  // Until somebody who is not in `known` got in, or the time is over: that one's name, or nothing.
  std::optional<std::string> WaitFor(milliseconds limit, const std::string& known = "") {
    const Clock::time_point end = Clock::now() + limit;
    while (Clock::now() < end) {
      std::vector<zmq::pollitem_t> items{{server_.handle(), 0, ZMQ_POLLIN, 0}};
      if (admission_) items.push_back({admission_->socket().handle(), 0, ZMQ_POLLIN, 0});
      zmq_poll(items.data(), static_cast<int>(items.size()), 10);
      if (admission_) admission_->AnswerAll();
      const std::vector<zmq::message_t> frames = ReceiveFrames(server_);
      if (!frames.empty() && frames.back().to_string() != known) return frames.back().to_string();
    }
    return std::nullopt;
  }

 private:
  const AgentKeys keys_ = GenerateCurveKeys();
  zmq::context_t context_{1};
  std::optional<BoardAdmission> admission_;
  zmq::socket_t server_{context_, zmq::socket_type::router};
  std::vector<zmq::socket_t> visitors_;
};

Status LetIn(const std::string& who) {
  return {StatusCode::kPermissionDenied,
          "self-test: a peer with " + who + " was let in; refusing to listen for boards"};
}

Status TestAdmission() {
  const AgentKeys listed = GenerateCurveKeys();
  TestPort unattended(/*has_admission=*/false);
  unattended.Visit("a listed key while no handler answers", unattended.public_key(), listed);
  TestPort port(/*has_admission=*/true);
  port.Admit(listed.public_key);
  port.Visit("a key that nobody knows", port.public_key(), GenerateCurveKeys());
  port.Visit("no key", port.public_key(), std::nullopt);
  port.Visit("the key of another agent", GenerateCurveKeys().public_key, listed);
  port.Visit(kListed, port.public_key(), listed);
  const std::optional<std::string> first = port.WaitFor(kListedLimit);
  if (!first) return {StatusCode::kInternal, "self-test: a board with a listed key was not let in"};
  if (*first != kListed) return LetIn(*first);
  if (const auto stranger = port.WaitFor(kStrangerWait, kListed)) return LetIn(*stranger);
  if (const auto stranger = unattended.WaitFor(milliseconds{1})) return LetIn(*stranger);
  return {};
}

}  // namespace

BoardAdmission::BoardAdmission(zmq::context_t& context) : socket_(context, zmq::socket_type::rep) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind(kZapEndpoint);
}

void BoardAdmission::AnswerAll() {
  for (;;) {
    const std::vector<zmq::message_t> frames = ReceiveFrames(socket_);
    if (frames.empty()) return;
    const ZapRequest request = ReadZapRequest(ToTexts(frames));
    const std::string key = request.raw_key.empty() ? "" : EncodeZ85(request.raw_key);
    const std::string refusal = !request.problem.empty() ? request.problem
                                : IsAdmitted(key)        ? ""
                                                         : "its key is not in fleet.toml";
    // A reply that cannot be sent leaves the peer outside.
    SendFrames(socket_, ZapReply(request, refusal, key));
  }
}

Status TestBoardAdmission() {
  try {
    return TestAdmission();
  } catch (const zmq::error_t& error) {
    return {StatusCode::kInternal,
            std::string("self-test: cannot open a port on loopback: ") + error.what()};
  }
}

Status EnsureBoardAdmission() {
  static std::mutex mutex;
  static std::optional<Status> known;
  const std::lock_guard<std::mutex> lock(mutex);
  if (known) return *known;
  Status tested = TestBoardAdmission();
  // Else it had no time, or no descriptor: that may pass.
  if (tested.ok() || tested.code() == StatusCode::kPermissionDenied) known = tested;
  return tested;
}

}  // namespace bitpilot
