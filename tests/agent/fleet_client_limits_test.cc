// Slow boards, large requests, damaged files: what an agent waits for, and what it refuses to send.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "agent/fleet/client_core.h"
#include "proto/framing.h"
#include "tests/agent/fleet_client_fixture.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

// 20 minutes with progress every ten seconds: slow, not lost.
TEST_F(ClientCoreTest, WaitsForASlowMeasurementAsLongAsItAdvances) {
  Connect();
  board_.eta_ms = 1'200'000;
  board_.progress_every = milliseconds(10'000);
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  board_.eta_ms = 700;
  Pass(milliseconds(1'199'000));
  EXPECT_TRUE(results_.empty());
  Pass(milliseconds(2'000));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
  EXPECT_EQ(links_, 1);
  EXPECT_EQ(board_.max_executions(), 1);
}

// The board estimated seconds, and says after its warm-up that one window takes a minute.
TEST_F(ClientCoreTest, WaitsAsLongAsTheBoardSaidThatItMayBeSilent) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Message progress;
  progress.envelope.mutable_measure_progress()->set_measure_id(std::string(16, 'B'));
  progress.envelope.mutable_measure_progress()->set_silence_ms(480'000);
  Step(MessageReceived{progress});
  Pass(milliseconds(480'000), /*connected=*/false);
  EXPECT_EQ(links_, 1);
  Pass(milliseconds(10'000), /*connected=*/false);
  EXPECT_GE(links_, 2);
}

TEST_F(ClientCoreTest, SaysOnceThatAMeasurementTakesMinutes) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Message progress;
  progress.envelope.mutable_measure_progress()->set_measure_id(std::string(16, 'B'));
  for (const std::uint64_t remaining_ms : {30'000, 700'000, 690'000}) {
    progress.envelope.mutable_measure_progress()->set_remaining_ms(remaining_ms);
    Step(MessageReceived{progress});
  }
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_NE(notices_[0].find("up to 12 min"), std::string::npos) << notices_[0];
}

TEST_F(ClientCoreTest, MeasuresNetworksOfLargeImages) {
  Connect();
  JobRequest request = MeasureRequestOf(1);
  std::get<MeasureInput>(request.input).golden_pixels.assign(3 * 640 * 640, 'p');
  Step(JobSubmitted{request});
  for (const Message& message : to_board_) EncodeMessage(message);  // what the link does
  Exchange();
  EncodeMessage(sent_.back());
  Pass(milliseconds(2'000));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
}

TEST_F(ClientCoreTest, RefusesWhatABoardCannotTakeAndTakesTheNextJob) {
  const auto measure = [this](JobId id, std::size_t pixel_bytes, std::size_t logits_bytes) {
    JobRequest request = MeasureRequestOf(id);
    std::get<MeasureInput>(request.input).golden_pixels.assign(pixel_bytes, 'p');
    std::get<MeasureInput>(request.input).golden_logits[0].assign(logits_bytes, 'l');
    Step(JobSubmitted{request});
    Exchange();
  };
  Connect();
  measure(1, kMaxRawBytes + 1, 4);     // no frame takes it
  measure(2, 100, kMaxEnvelopeBytes);  // outputs of a quarter of a million classes
  board_.store_bytes = 50;
  board_.Reboot();
  Step(LinkDown{"rebooted"});
  Pass(milliseconds(200));
  Step(LinkUp{});
  Exchange();
  measure(3, 100, 4);  // its file has 100 bytes
  board_.store_bytes = 0;
  board_.protocol_minor = 0;
  board_.Reboot();
  Step(LinkDown{"another daemon"});
  Pass(milliseconds(200));
  Step(LinkUp{});
  Exchange();
  measure(4, 3 * 640 * 640, 4);  // a daemon of the first version
  ASSERT_EQ(results_.size(), 4U);
  for (const JobResult& result : results_) {
    EXPECT_EQ(result.measurement.status, MeasureStatus::kRejected) << result.id;
    EXPECT_NE(result.measurement.detail, "") << result.id;
  }
  measure(5, 100, 4);
  Pass(milliseconds(2'000));
  ASSERT_EQ(results_.size(), 5U);
  EXPECT_EQ(results_[4].measurement.status, MeasureStatus::kOk);
}

// What a power cut left of a file: the board has dropped it and says so, once or for ever.
TEST_F(ClientCoreTest, UploadsADamagedNetworkAgain) {
  Connect();
  board_.damaged_files = 2;
  Step(JobSubmitted{MeasureRequestOf(1, 5'000)});
  Exchange();
  Pass(milliseconds(2'000));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
  EXPECT_EQ(board_.num_chunk_bytes(), 3 * 5'000U);
  board_.damaged_files = 100;
  Step(JobSubmitted{MeasureRequestOf(2, 5'000)});
  Exchange();
  Pass(milliseconds(2'000));
  ASSERT_EQ(results_.size(), 2U);
  EXPECT_EQ(results_[1].measurement.status, MeasureStatus::kLost);
}

// 256 images may take a slow board many minutes, in which it only answers pings.
TEST_F(ClientCoreTest, WaitsForAnInferenceAsLongAsTheBoardSaysThatItInfers) {
  Connect();
  board_.infer_takes = milliseconds(900'000);
  Step(JobSubmitted{InferRequestOf(1, 1)});
  Exchange();
  Pass(milliseconds(899'000));
  EXPECT_TRUE(results_.empty());
  EXPECT_EQ(links_, 1);
  Pass(milliseconds(3'000));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_TRUE(results_[0].status.ok()) << results_[0].status.message();
}

TEST_F(ClientCoreTest, AsksAgainWhenTheAnswerToAnInferenceIsLost) {
  Connect();
  Step(JobSubmitted{InferRequestOf(1, 1)});
  while (!to_board_.empty() && !to_board_.front().envelope.has_infer_request()) {
    const Message message = to_board_.front();
    to_board_.clear();
    for (const Message& reply : board_.Receive(message, now_)) Step(MessageReceived{reply});
  }
  to_board_.clear();
  Pass(milliseconds(60'000));  // the board answers pings: it has nothing to do
  EXPECT_GE(links_, 2);
}

// An older daemon would not read the field, and another version of it may give it another meaning.
TEST_F(ClientCoreTest, AsksForLongerWindowsOnlyWhereTheDaemonAnnouncesThem) {
  const auto asked_of = [this](JobId id, std::uint32_t protocol_minor) -> std::uint32_t {
    board_.protocol_minor = protocol_minor;
    board_.Reboot();
    Step(LinkDown{"updated"});
    Pass(milliseconds(200));
    Step(LinkUp{});
    Exchange();
    sent_.clear();
    JobRequest request = MeasureRequestOf(id);
    std::get<MeasureInput>(request.input).window_doublings = 2;
    Step(JobSubmitted{request});
    Exchange();
    Pass(milliseconds(2'000));
    for (const Message& message : sent_) {
      if (!message.envelope.has_measure_request()) continue;
      return message.envelope.measure_request().spec().window_doublings();
    }
    ADD_FAILURE() << "nothing was measured";
    return 0;
  };
  Connect();
  EXPECT_EQ(asked_of(1, 2), 2U);
  EXPECT_EQ(notices_.size(), 0U);
  EXPECT_EQ(asked_of(2, 1), 0U);
  ASSERT_EQ(notices_.size(), 1U) << "or who reads the result believes in longer windows";
  EXPECT_NE(notices_[0].find("no longer than before; update it"), std::string::npos) << notices_[0];
  EXPECT_EQ(asked_of(3, 1), 0U);
  EXPECT_EQ(notices_.size(), 1U) << "once is enough";
  ASSERT_EQ(results_.size(), 3U);
  for (const JobResult& result : results_) EXPECT_EQ(result.measurement.status, MeasureStatus::kOk);
}

}  // namespace
}  // namespace bitpilot
