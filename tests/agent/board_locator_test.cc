#include "agent/fleet/board_locator.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/agent/latch.h"

namespace bitpilot {
namespace {

// A name service that does not answer for hosts "slow..." before the latch is open.
class BoardLocatorTest : public testing::Test {
 protected:
  void Ask(BoardLocator::BoardNumber board, const std::string& host, bool connects = false) {
    BoardAddress address;
    address.name = "board " + std::to_string(board);
    address.endpoint = "tcp://" + host + ":7777";
    address.connects = connects;
    locator_.Ask(board, [address] { return Result<BoardAddress>(address); });
  }

  BoardLocator::Answer WaitForAnswer() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return num_answers_ > 0; });
    --num_answers_;
    return *locator_.TakeAnswer();
  }

  int num_lookups(const std::string& host) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return lookups_[host];
  }

  Result<std::vector<Endpoint>> Resolve(const Endpoint& name) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++lookups_[name.host];
      changed_.notify_all();
    }
    if (name.host.starts_with("slow")) latch_.Wait();
    return std::vector<Endpoint>{{"192.0.2.7", name.port}};
  }

  Latch latch_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int num_answers_ = 0;
  std::map<std::string, int> lookups_;
  Status admission_;
  BoardLocator locator_{
      [this] {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++num_answers_;
        changed_.notify_all();
      },
      {[this](const Endpoint& name) { return Resolve(name); }, [this] { return admission_; }}};
  const OpensAtEnd opens_{latch_};
};

TEST_F(BoardLocatorTest, FindsABoardWhileNamesOfOthersTakeTheirTime) {
  for (BoardLocator::BoardNumber board = 1; board < BoardLocator::kMostThreads; ++board) {
    Ask(board, "slow" + std::to_string(board));
  }
  Ask(100, "quick");
  const BoardLocator::Answer answer = WaitForAnswer();
  EXPECT_EQ(answer.board, 100U);
  EXPECT_EQ(answer.place->addresses[0].host, "192.0.2.7");
}

TEST_F(BoardLocatorTest, AsksOnceAtATimeForABoardHoweverOftenItIsAsked) {
  for (int i = 0; i < 1000; ++i) Ask(1, "slow");
  Ask(2, "slow too");
  latch_.Open();
  EXPECT_NE(WaitForAnswer().board, WaitForAnswer().board) << "an answer a board";
  EXPECT_EQ(num_lookups("slow"), 1);
  EXPECT_FALSE(locator_.TakeAnswer());
  Ask(1, "slow");
  EXPECT_EQ(WaitForAnswer().board, 1U) << "and is asked anew once that was taken";
  EXPECT_EQ(num_lookups("slow"), 2);
}

TEST_F(BoardLocatorTest, TellsNothingOfABoardThatIsForgotten) {
  Ask(1, "slow");
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return lookups_["slow"] == 1; });
  }
  locator_.Forget(1);
  latch_.Open();
  Ask(2, "quick");
  EXPECT_EQ(WaitForAnswer().board, 2U);
  Ask(3, "quick");
  EXPECT_EQ(WaitForAnswer().board, 3U);
}

TEST_F(BoardLocatorTest, TestsThePortBeforeItTellsWhereToListen) {
  EXPECT_EQ(BoardLocator::PlaceOfAddress({"one", "tcp://0.0.0.0:7777", "", "", {}, "", true})
                .status()
                .code(),
            StatusCode::kNotFound);
  Ask(1, "0.0.0.0", /*connects=*/true);
  EXPECT_TRUE(WaitForAnswer().place.ok());
  admission_ = Status(StatusCode::kPermissionDenied, "a stranger was let in");
  Ask(1, "0.0.0.0", /*connects=*/true);
  const BoardLocator::Answer refused = WaitForAnswer();
  EXPECT_EQ(refused.place.status().message(), "a stranger was let in");
  EXPECT_TRUE(refused.is_final);
  Ask(2, "quick");
  EXPECT_TRUE(WaitForAnswer().place.ok()) << "of a board that is connected to, nothing is tested";
}

}  // namespace
}  // namespace bitpilot
