// Drives a DaemonCore as a well-behaved shell would: the store always works, and the test plays
// agents and worker.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "device_daemon/core/daemon_core.h"
#include "proto/crc32.h"
#include "proto/validation.h"

namespace bitpilot::daemon {

inline constexpr char kAlice[] = "alice";
inline constexpr char kBob[] = "bob";

class CoreDriver {
 public:
  explicit CoreDriver(std::uint64_t last_epoch = 0) : core(MakeConfig(last_epoch)) {}

  static CoreConfig MakeConfig(std::uint64_t last_epoch) {
    CoreConfig config;
    config.boot_id = "boot-id-16-bytes";
    config.last_epoch = last_epoch;
    config.capabilities.set_backend("kernels");
    return config;
  }

  // Steps, stores epochs and draining at once, and keeps the actions that are left.
  std::vector<Action> Step(const Event& event) {
    std::vector<Action> kept;
    for (Action& action : core.Step(event, now)) {
      std::vector<Action> next;
      if (const auto* store = std::get_if<StoreEpoch>(&action)) {
        stored_epochs.push_back(store->epoch);
        next = Step(EpochStored{store->epoch, Status()});
      } else if (std::holds_alternative<StoreDrain>(action)) {
        next = Step(DrainStored{Status()});
      } else {
        kept.push_back(std::move(action));
      }
      for (Action& one : next) kept.push_back(std::move(one));
    }
    return kept;
  }

  std::vector<Action> Deliver(const std::string& user, Message message) {
    const auto role = roles.find(user);
    return Step(
        MessageReceived{{"route-" + user, user, role == roles.end() ? v1::AGENT : role->second},
                        std::move(message),
                        {}});
  }

  std::vector<Action> PassTime(Milliseconds time) {
    now += time;
    return Step(TimePassed{});
  }

  // The session id of a new session.
  std::string SayHello(const std::string& user) {
    Message hello;
    hello.envelope.set_request_id(1);
    hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
    return OnlyReply(Deliver(user, std::move(hello))).hello_ack().session_id();
  }

  // An empty request of a session, with the next request_id and the last granted epoch.
  Message Request(const std::string& session_id) {
    Message message;
    message.envelope.set_session_id(session_id);
    message.envelope.set_request_id(++last_request_id);
    message.envelope.set_lease_epoch(stored_epochs.empty() ? 0 : stored_epochs.back());
    return message;
  }

  Message LeaseRequest(const std::string& user, const std::string& session_id) {
    Message request = Request(session_id);
    request.envelope.mutable_lease_request()->set_ttl_ms(30'000);
    request.envelope.mutable_lease_request()->set_holder(user + "'s study");
    return request;
  }

  v1::Envelope AskForLease(const std::string& user, const std::string& session_id) {
    return OnlyReply(Deliver(user, LeaseRequest(user, session_id)));
  }

  // A session of `user` that holds the lease.
  std::string Connect(const std::string& user) {
    std::string session_id = SayHello(user);
    AskForLease(user, session_id);
    return session_id;
  }

  Message MeasureRequest(const std::string& session_id, char id) {
    Message message = Request(session_id);
    v1::MeasureRequest& measure = *message.envelope.mutable_measure_request();
    measure.set_measure_id(std::string(kMeasureIdBytes, id));
    measure.add_network_sha256(std::string(kSha256Bytes, 'n'));
    measure.add_golden_logits("1234");
    measure.set_golden_pixels("pixels");
    measure.mutable_spec()->set_tier(v1::MeasureSpec::SCREEN);
    return message;
  }

  Message InferRequest(const std::string& session_id) {
    Message message = Request(session_id);
    message.envelope.mutable_infer_request()->set_network_sha256(std::string(kSha256Bytes, 'n'));
    message.envelope.mutable_infer_request()->set_num_images(1);
    message.raw = "pixels";
    return message;
  }

  static Message MeasureReply(char id, double latency_ns = 1'000.0) {
    Message message;
    v1::MeasureResult& result = *message.envelope.mutable_measure_result();
    result.set_measure_id(std::string(kMeasureIdBytes, id));
    result.set_status(v1::OK);
    v1::NetworkMeasurement& network = *result.add_networks();
    network.set_network_sha256(std::string(kSha256Bytes, 'n'));
    network.set_latency_median_ns(latency_ns);
    network.set_latency_low_ns(latency_ns);
    network.set_latency_high_ns(latency_ns);
    network.set_confidence(0.96);
    network.add_window_ns(latency_ns);
    network.add_window_cpu_ns(latency_ns);
    return message;
  }

  template <typename T>
  static std::vector<T> Of(const std::vector<Action>& actions) {
    std::vector<T> found;
    for (const Action& action : actions) {
      if (const T* one = std::get_if<T>(&action)) found.push_back(*one);
    }
    return found;
  }

  // The only message among the actions; an empty envelope if there is not exactly one.
  static v1::Envelope OnlyReply(const std::vector<Action>& actions) {
    const std::vector<Send> sent = Of<Send>(actions);
    return sent.size() == 1 ? sent.front().message.envelope : v1::Envelope();
  }

  static StatusCode ErrorOf(const std::vector<Action>& actions) {
    const v1::Envelope reply = OnlyReply(actions);
    return reply.has_error() ? static_cast<StatusCode>(reply.error().code()) : StatusCode::kOk;
  }

  DaemonCore core;
  Milliseconds now{1'000};
  std::map<std::string, v1::Role> roles;  // Of those who are no agents.
  std::vector<std::uint64_t> stored_epochs;
  std::uint64_t last_request_id = 1;
};

}  // namespace bitpilot::daemon
