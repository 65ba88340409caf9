// The daemon's end of a worker, with shell scripts for workers.
#include "device_daemon/worker/worker_process.h"

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/steady_timer.hpp>

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

// Runs `script` as the worker of a job until that ended; `during` runs once after `delay`.
struct JobEnd {
  std::optional<daemon::WorkerFailed> failed;
  bool answered = false;
};
JobEnd RunWorker(const std::string& script, std::chrono::milliseconds delay,
                 const std::function<void(WorkerProcess&)>& during) {
  JobEnd end;
  boost::asio::io_context io;
  WorkerMemory memory{[] { return v1::BoardBaseline(); }, [](const v1::BoardBaseline&) {}};
  WorkerProcess worker(io, {"/bin/sh", {"-c", script}}, memory, [&](const daemon::Event& event) {
    if (const auto* failed = std::get_if<daemon::WorkerFailed>(&event)) end.failed = *failed;
    end.answered = std::holds_alternative<daemon::WorkerAnswered>(event);
    io.stop();
  });
  Message request;
  request.envelope.mutable_infer_request()->set_num_images(1);
  worker.Start(/*job=*/1, request);
  boost::asio::steady_timer timer(io, delay);
  timer.async_wait([&](const boost::system::error_code&) { during(worker); });
  io.run_for(kLongestJob);
  return end;
}

// Whether the process runs: a zombie that waits for its parent does not.
bool Runs(pid_t pid) {
  const Result<std::string> stat = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  return stat.ok() && stat->find(") Z ") == std::string::npos;
}

bool EndsSoon(pid_t pid) {
  for (int i = 0; i < 1'000 && Runs(pid); ++i) usleep(5'000);
  return !Runs(pid);
}

class LeakedChildTest : public WorkerProcessTest {
 protected:
  // The process id that a script wrote to the file, once it is there.
  pid_t ChildIn(const std::string& file) {
    for (int i = 0; i < 1'000; ++i) {
      const Result<std::string> text = ReadFile(folder_ / file);
      if (text.ok() && text->ends_with('\n')) return std::stoi(*text);
      usleep(5'000);
    }
    return 0;
  }
};

TEST_F(LeakedChildTest, F3LeavesNoChildOfAWorkerThatIsStopped) {
  const std::string script =
      "trap '' TERM; (trap '' TERM; sleep 600) & echo $! > " + (folder_ / "child") + "; wait";
  pid_t child = 0;
  const JobEnd end = RunWorker(script, std::chrono::milliseconds{1}, [&](WorkerProcess& worker) {
    child = ChildIn("child");
    worker.Stop(1);
  });
  ASSERT_TRUE(end.failed);
  ASSERT_GT(child, 0);
  EXPECT_TRUE(EndsSoon(child));
}

TEST_F(LeakedChildTest, F3LeavesNoChildOfAWorkerThatEndsByItself) {
  const JobEnd end = RunWorker("sleep 600 & echo $! > " + (folder_ / "child") + "; exit 3",
                               std::chrono::milliseconds{1}, [](WorkerProcess&) {});
  ASSERT_TRUE(end.failed);
  EXPECT_EQ(end.failed->status, v1::CRASH);
  const pid_t child = ChildIn("child");
  ASSERT_GT(child, 0);
  EXPECT_TRUE(EndsSoon(child));
}

TEST_F(WorkerProcessTest, F5CallsGarbageAProtocolError) {
  // Impossible numbers of frames, an impossible size, frames that are no message.
  for (const char* said :
       {"\\377\\377\\377\\377", "\\000\\000\\000\\000", "\\001\\000\\000\\000\\377\\377\\377\\377",
        "\\001\\000\\000\\000\\003\\000\\000\\000abc"}) {
    const JobEnd end = RunWorker("printf '" + std::string(said) + "' >&3; sleep 600",
                                 std::chrono::milliseconds{1}, [](WorkerProcess&) {});
    ASSERT_TRUE(end.failed) << said;
    EXPECT_EQ(end.failed->status, v1::PROTOCOL_ERROR) << said;
  }
}

// Half a message, and then nothing: a worker that died.
TEST_F(WorkerProcessTest, F5CallsHalfAMessageOfADeadWorkerACrash) {
  const JobEnd end = RunWorker("printf '\\002\\000\\000' >&3; kill -9 $$",
                               std::chrono::milliseconds{1}, [](WorkerProcess&) {});
  ASSERT_TRUE(end.failed);
  EXPECT_EQ(end.failed->status, v1::CRASH);
  EXPECT_NE(end.failed->detail.find("signal 9"), std::string::npos) << end.failed->detail;
}

}  // namespace
}  // namespace bitpilot
