// The daemon's end of a worker, with shell scripts for workers.
#include "device_daemon/worker/worker_process.h"

#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/base/file_io.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

constexpr std::chrono::seconds kLongestJob{60};

Message Baseline(double canary_ns) {
  Message message;
  message.envelope.mutable_board_baseline()->set_canary_ns(canary_ns);
  message.envelope.mutable_board_baseline()->set_canary_scatter(0.001);
  return message;
}

class WorkerProcessTest : public testing::Test {
 protected:
  // Runs a job on a worker that is `script` until it has answered or failed.
  void RunJob(const std::string& script) {
    WorkerMemory memory{[this] { return best_; },
                        [this](const v1::BoardBaseline& seen) { best_ = seen; }};
    boost::asio::io_context io;
    WorkerProcess worker(io, {"/bin/sh", {"-c", script}}, memory, [&](const daemon::Event& event) {
      answered_ = std::holds_alternative<daemon::WorkerAnswered>(event);
      io.stop();
    });
    Message request;
    request.envelope.mutable_infer_request()->set_num_images(1);
    worker.Start(/*job=*/1, request);
    io.run_for(kLongestJob);
  }

  // What workers were sent, of which each wrote a file.
  std::vector<Message> Received(const std::string& file) {
    ChannelDecoder decoder;
    decoder.Append(*ReadFile(folder_ / file));
    std::vector<Message> messages;
    for (;;) {
      Result<std::optional<Message>> next = decoder.Next();
      if (!next.ok() || !next->has_value()) return messages;
      messages.push_back(std::move(**next));
    }
  }

  TemporaryFolder folder_;
  v1::BoardBaseline best_;
  bool answered_ = false;
};

// Each worker reads what it is sent, tells what it saw of the board, and answers.
TEST_F(WorkerProcessTest, TellsEveryNewWorkerWhatEarlierOnesSaw) {
  Message answer;
  answer.envelope.mutable_error()->set_detail("a script infers nothing");
  std::ofstream(folder_ / "said", std::ios::binary)
      << EncodeForChannel(Baseline(123'456)) << EncodeForChannel(answer);
  const auto script = [&](const std::string& file) {
    return "dd bs=65536 count=1 of=" + (folder_ / file) + " <&3 2>/dev/null; cat " +
           (folder_ / "said") + " >&3; sleep 600";
  };
  RunJob(script("first"));
  EXPECT_TRUE(answered_);
  EXPECT_EQ(best_.canary_ns(), 123'456.0);
  RunJob(script("second"));
  const std::vector<Message> first = Received("first");
  ASSERT_EQ(first.size(), 2U);
  EXPECT_TRUE(first[0].envelope.has_board_baseline());
  EXPECT_FALSE(first[0].envelope.board_baseline().has_canary_ns()) << "nothing is known yet";
  EXPECT_TRUE(first[1].envelope.has_infer_request());
  const std::vector<Message> second = Received("second");
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[0].envelope.board_baseline().canary_ns(), 123'456.0);
}

}  // namespace
}  // namespace bitpilot
