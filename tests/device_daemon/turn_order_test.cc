#include "device_daemon/core/turn_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace bitpilot::daemon {
namespace {

using std::chrono::milliseconds;

TEST(TurnOrderTest, PutsPriorityBeforeFairnessBeforeArrival) {
  FairShare share;
  share.Charge("alice", milliseconds{900});
  share.Charge("bob", milliseconds{100});
  const Waiter alice{.arrival = 1, .user_id = "alice"};
  const Waiter bob{.arrival = 2, .user_id = "bob"};
  const Waiter urgent{.arrival = 3, .user_id = "alice", .priority = 1};
  const Waiter later{.arrival = 4, .user_id = "bob"};
  EXPECT_TRUE(GoesBefore(bob, alice, share));
  EXPECT_TRUE(GoesBefore(urgent, bob, share));
  EXPECT_TRUE(GoesBefore(bob, later, share));
  EXPECT_FALSE(GoesBefore(later, bob, share));
}

TEST(TurnOrderTest, PutsWhatMayNotBeginBehindEverything) {
  Waiter held{.arrival = 1, .user_id = "alice", .priority = 9, .overtaken = Waiter::kMaxOvertaken};
  held.may_begin = false;
  EXPECT_FALSE(GoesBefore(held, {.arrival = 2, .user_id = "bob", .priority = -9}, FairShare()));
}

TEST(TurnOrderTest, PutsWhatStarvesFirstInTheOrderOfArrival) {
  const Waiter first{.arrival = 1, .user_id = "a", .priority = -9, .overtaken = 16};
  const Waiter second{.arrival = 2, .user_id = "b", .priority = 0, .overtaken = 16};
  const Waiter urgent{.arrival = 3, .user_id = "c", .priority = 9, .overtaken = 15};
  EXPECT_TRUE(GoesBefore(first, second, FairShare()));
  EXPECT_TRUE(GoesBefore(second, urgent, FairShare()));
}

// Alice's jobs take 300 ms and Bob's 100 ms: of 12 s each gets half.
TEST(TurnOrderTest, GivesUsersTheSameTimeWhateverTheirJobsTake) {
  FairShare share;
  milliseconds alice{0};
  milliseconds bob{0};
  std::uint64_t arrival = 0;
  Waiter of_alice{.arrival = ++arrival, .user_id = "alice"};
  Waiter of_bob{.arrival = ++arrival, .user_id = "bob"};
  while (alice + bob < milliseconds{12'000}) {
    const bool takes_alice = GoesBefore(of_alice, of_bob, share);
    Waiter& next = takes_alice ? of_alice : of_bob;
    const milliseconds used{takes_alice ? 300 : 100};
    share.Begin(next.user_id);
    share.Charge(next.user_id, used);
    (takes_alice ? alice : bob) += used;
    next.arrival = ++arrival;
  }
  EXPECT_NEAR(static_cast<double>(alice.count()), 6'000.0, 300.0);
}

// A day without work is no claim to the next one.
TEST(TurnOrderTest, SavesNothingUpForWhoWasIdle) {
  FairShare share;
  share.Arrive("alice");
  for (int i = 0; i < 100; ++i) {
    share.Begin("alice");
    share.Charge("alice", milliseconds{1'000});
  }
  share.Arrive("bob");
  EXPECT_GE(share.TagOf("bob"), milliseconds{99'000});
  EXPECT_LE(share.TagOf("bob"), share.TagOf("alice"));
}

TEST(TurnOrderTest, ForgetsUsersWhoAreNotListedAnyMore) {
  FairShare share;
  share.Charge("alice", milliseconds{5});
  share.KeepUsers({"bob"});
  EXPECT_EQ(share.TagOf("alice"), milliseconds{0});
}

}  // namespace
}  // namespace bitpilot::daemon
