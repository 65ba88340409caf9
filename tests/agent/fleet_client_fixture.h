// What the tests of ClientCore share: requests, and a client with a simulated board.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agent/fleet/client_core.h"
#include "tests/agent/fleet_simulated_board.h"

namespace bitpilot {

inline JobRequest MeasureRequestOf(JobId id, std::size_t file_bytes = 100) {
  JobRequest request;
  request.id = id;
  request.artifacts.push_back({std::string(32, static_cast<char>('a' + id)),
                               std::make_shared<const std::string>(file_bytes, 'x')});
  MeasureInput input;
  input.measure_id = std::string(16, static_cast<char>('A' + id));
  input.golden_pixels = "pixels";
  input.golden_logits = {"abcd"};
  input.num_operations = {3};
  request.input = input;
  return request;
}

inline JobRequest InferRequestOf(JobId id, std::size_t num_images) {
  JobRequest request = MeasureRequestOf(id);
  InferInput input;
  input.image_bytes = SimulatedBoard::kImageBytes;
  input.num_classes = SimulatedBoard::kNumClasses;
  input.pixels.assign(num_images * input.image_bytes, 'p');
  request.input = input;
  return request;
}

inline ClientOptions TestOptions() {
  ClientOptions options;
  options.agent_public_key = "KEY-OF-AGENT";
  options.board_name = "bench";
  options.endpoint = "tcp://192.0.2.7:7777";
  options.holder = "a test";
  options.connect_timeout = std::chrono::milliseconds(5000);
  options.reconnect_timeout = std::chrono::milliseconds(60'000);
  return options;
}

// ClientCore with a SimulatedBoard at the end of a perfect wire, unless the test cuts it.
class ClientCoreTest : public testing::Test {
 protected:
  void Use(const ClientOptions& options) { core_ = std::make_unique<ClientCore>(options); }

  void Step(ClientEvent event) {
    std::vector<std::string> finished_ids;
    for (ClientAction& action : core_->Step(std::move(event), now_)) {
      if (std::holds_alternative<OpenLink>(action)) {
        ++links_;
      } else if (auto* send = std::get_if<SendMessage>(&action)) {
        sent_.push_back(send->message);
        to_board_.push_back(std::move(send->message));
      } else if (auto* finished = std::get_if<JobFinished>(&action)) {
        results_.push_back(std::move(finished->result));
        finished_ids.push_back(finished->measure_id);
      } else if (auto* failed = std::get_if<BoardFailed>(&action)) {
        failure_ = failed->status;
      } else if (auto* notice = std::get_if<BoardNotice>(&action)) {
        notices_.push_back(std::move(notice->text));
      } else if (auto* ready = std::get_if<BoardReady>(&action)) {
        ++num_ready_;
        info_ = std::move(ready->info);
      } else if (std::holds_alternative<Closed>(action)) {
        closed_ = true;
      }
    }
    if (!records_at_once_) return;
    for (const std::string& id : finished_ids) Step(ResultRecorded{id});
  }

  // Carries messages both ways until nothing moves.
  void Exchange() {
    while (!to_board_.empty()) {
      const std::vector<Message> messages = std::exchange(to_board_, {});
      for (const Message& message : messages) {
        for (const Message& reply : board_.Receive(message, now_)) Step(MessageReceived{reply});
      }
    }
  }

  void Connect() {
    Step(Started{});
    Step(LinkUp{});
    Exchange();
    ASSERT_EQ(num_ready_, 1);
  }

  // Passes time, with the wire connected or silent.
  void Pass(std::chrono::milliseconds time, bool connected = true) {
    const Instant end = now_ + time;
    while (now_ < end) {
      now_ += std::chrono::milliseconds(50);
      if (connected) {
        for (const Message& message : board_.Advance(now_)) Step(MessageReceived{message});
      }
      Step(TimePassed{});
      if (connected) Exchange();
    }
  }

  int CountSent(v1::Envelope::BodyCase body) const {
    return static_cast<int>(std::count_if(sent_.begin(), sent_.end(), [&](const Message& message) {
      return message.envelope.body_case() == body;
    }));
  }

  SimulatedBoard board_;
  std::unique_ptr<ClientCore> core_ = std::make_unique<ClientCore>(TestOptions());
  Instant now_{1'000'000};
  std::vector<Message> sent_;
  std::vector<Message> to_board_;
  std::vector<JobResult> results_;
  std::vector<std::string> notices_;
  Status failure_;
  bool records_at_once_ = true;
  int links_ = 0;
  int num_ready_ = 0;
  BoardInfo info_;  // of the last BoardReady
  bool closed_ = false;
};

}  // namespace bitpilot
