#include "device_daemon/server/gate.h"

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "device_daemon/server/zap.h"
#include "proto/zap.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

// How long strangers are waited for after the listed key got in.
constexpr milliseconds kStrangerWait{200};

void RunUntil(boost::asio::io_context& io, milliseconds limit, const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + limit;
  io.restart();
  while (!done() && std::chrono::steady_clock::now() < end) {
    io.run_for(milliseconds{10});
    io.restart();
  }
}

}  // namespace

Gate::Gate(boost::asio::io_context& io, ZmqContext& context, AuthorizedAgents agents,
           std::function<std::optional<Day>()> today,
           std::function<void(const std::string&)> on_refusal)
    : socket_(io, context, ZmqSocketKind::kReply),
      agents_(std::move(agents)),
      today_(std::move(today)),
      on_refusal_(std::move(on_refusal)) {}

Status Gate::Open() {
  BITPILOT_RETURN_IF_ERROR(socket_.Bind(kZapEndpoint));
  socket_.OnMessage([this](const ZmqMessage& request) { Decide(request); });
  return {};
}

const AuthorizedAgent* Gate::Find(const std::string& public_key) const {
  const auto found = agents_.find(public_key);
  return found == agents_.end() ? nullptr : &found->second;
}

void Gate::Decide(const ZmqMessage& request) {
  const ZapDecision decision = DecideZap(request.frames, agents_, today_());
  if (!decision.accepted) {
    on_refusal_("refused " + decision.peer_address + ": " + decision.reason +
                (decision.public_key.empty() ? "" : " (" + decision.public_key + ")"));
  }
  // A reply that cannot be sent leaves the peer outside.
  (void)socket_.Send(decision.reply);
}

Status TestGate(boost::asio::io_context& io, ZmqContext& context, Gate& gate, milliseconds limit) {
  const CurveKeys server_keys = MakeCurveKeys();
  const CurveKeys listed = MakeCurveKeys();
  const CurveKeys expired = MakeCurveKeys();
  const AuthorizedAgents agents = gate.agents();
  ZmqSocket server(io, context, ZmqSocketKind::kRouter);
  BITPILOT_RETURN_IF_ERROR(server.SecureAsServer(server_keys.secret_key));
  BITPILOT_RETURN_IF_ERROR(server.Bind("tcp://127.0.0.1:0"));
  std::set<std::string> arrived;
  server.OnMessage([&](const ZmqMessage& message) {
    if (message.frames.size() == 2) arrived.insert(message.frames[1]);
  });
  gate.Replace({{listed.public_key, {"self-test"}},
                {expired.public_key, {"expired self-test", v1::AGENT, Day{}}}});
  std::vector<std::unique_ptr<ZmqSocket>> visitors;
  const auto visit = [&](const std::string& name, const std::string& server_key,
                         const std::optional<CurveKeys>& keys) -> Status {
    visitors.push_back(std::make_unique<ZmqSocket>(io, context, ZmqSocketKind::kDealer));
    ZmqSocket& socket = *visitors.back();
    if (keys) BITPILOT_RETURN_IF_ERROR(socket.SecureAsClient(server_key, *keys));
    BITPILOT_RETURN_IF_ERROR(socket.Connect(server.bound_endpoint()));
    return socket.Send({name});
  };
  const std::string& server_key = server_keys.public_key;
  BITPILOT_RETURN_IF_ERROR(visit("a key that nobody knows", server_key, MakeCurveKeys()));
  BITPILOT_RETURN_IF_ERROR(visit("a key that has expired", server_key, expired));
  BITPILOT_RETURN_IF_ERROR(visit("no key", server_key, std::nullopt));
  BITPILOT_RETURN_IF_ERROR(visit("the key of another server", MakeCurveKeys().public_key, listed));
  BITPILOT_RETURN_IF_ERROR(visit("the listed key", server_key, listed));
  RunUntil(io, limit, [&] { return arrived.contains("the listed key"); });
  RunUntil(io, kStrangerWait, [&] { return arrived.size() > 1; });
  gate.Replace(agents);
  if (!arrived.contains("the listed key")) {
    return {StatusCode::kInternal,
            "self-test: an authorized key of the test's own was not let in within " +
                std::to_string(limit.count()) +
                " ms: is this machine overloaded, or its loopback interface filtered?"};
  }
  arrived.erase("the listed key");
  if (arrived.empty()) return {};
  return {StatusCode::kPermissionDenied,
          "self-test: a peer with " + *arrived.begin() + " was let in; refusing to serve"};
}

}  // namespace bitpilot
