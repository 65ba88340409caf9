// World's part for boards that connect to their agents, as from behind a NAT. The cores on both sides are the
// same; who dials, what a connection's loss looks like, and how a connection replaces the one before,
// differs. Each rule is one of OutwardLink (device_daemon/server/outward_link.h) or of BoardPort
// (agent/fleet/board_port.h).
#include <algorithm>
#include <string>
#include <utility>

#include "experiments/reliability/sim_agent.h"
#include "experiments/reliability/sim_board.h"
#include "experiments/reliability/world.h"

namespace bitpilot::simulation {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{500};
constexpr milliseconds kLongestPause{30'000};
constexpr int kLongestAttemptMs = 5'000;
// Within which heartbeats notice that the other side is not there any more.
constexpr milliseconds kHeartbeatLimit{4'000};

}  // namespace

bool World::ConnectsOut(int index) const {
  return scenario_.boards[static_cast<std::size_t>(index)].connects_out;
}

// ---- The board's side

void World::ConnectOutwards(int index) {
  if (!ConnectsOut(index)) return;
  for (int agent = 0; agent < static_cast<int>(agents_.size()); ++agent) {
    outward_[{agent, index}].pause = kFirstPause;
    Dial({agent, index}, random_.Time(1, 20));
  }
}

void World::Dial(const Link& link, milliseconds after) {
  After(after, [this, link, turn = ++outward_[link].turn] {
    if (turn == outward_[link].turn) TryToConnect(link);
  });
}

void World::TryToConnect(const Link& link) {
  SimBoard& dialer = board(link.second);
  if (!dialer.is_up()) return;
  const SimAgent& agent = *agents_[static_cast<std::size_t>(link.first)];
  const bool is_cut = IsPartitioned(link, true) || IsPartitioned(link, false);
  if (is_cut || !agent.is_running() || dialer.IsHanging()) return EndAttempt(link);
  Outward& outward = outward_[link];
  outward.pause = kFirstPause;
  outward.connection = ++num_connections_;
  connections_[outward.connection].link = link;
  connections_[outward.connection].is_up = true;
  Transmit(outward.connection, false, dialer.Announcement());
}

void World::EndAttempt(const Link& link) {
  Outward& outward = outward_[link];
  outward.connection = 0;
  const milliseconds pause = outward.pause * random_.Between(800, 1'200) / 1'000;
  outward.pause = std::min(2 * outward.pause, kLongestPause);
  Dial(link, random_.Time(5, kLongestAttemptMs) + pause);
}

void World::BreakOutward(const Link& link, bool board_sees, bool agent_sees) {
  Outward& outward = outward_[link];
  const std::uint64_t id = outward.connection;
  if (id == 0) return;
  connections_.erase(id);
  if (agent_sees) {
    After(random_.Time(0, 300), [this, link, id] {
      Outward& place = outward_[link];
      if (place.route == id) place.is_route_closed = true;
    });
  }
  if (board_sees) {
    outward.connection = 0;
    return Dial(link, kFirstPause);
  }
  After(kHeartbeatLimit, [this, link, id] {
    if (outward_[link].connection == id) EndAttempt(link);
  });
}

void World::CheckHeartbeats(const Link& link) {
  After(kHeartbeatLimit, [this, link] {
    const bool is_cut = IsPartitioned(link, true) || IsPartitioned(link, false);
    if (is_cut) BreakOutward(link, /*board_sees=*/true, /*agent_sees=*/random_.Permille(500));
  });
}

// ---- The agent's port

void World::OpenPlace(const Link& link) {
  Outward& place = outward_[link];
  place.is_open = true;
  place.is_up = place.route != 0;
  const std::uint64_t opened = ++place.opened;
  if (!place.is_up) return;
  After(milliseconds(0), [this, link, opened] {
    const Outward& now = outward_[link];
    if (now.opened != opened || !now.is_up) return;
    agents_[static_cast<std::size_t>(link.first)]->OnLink(link.second, LinkUp{});
  });
}

void World::SendByPlace(const Link& link, Message message) {
  Outward& place = outward_[link];
  if (!place.is_up) return;
  if (!place.is_route_closed) return Transmit(place.route, true, std::move(message));
  place.route = 0;
  place.is_route_closed = false;
  TellPlaceDown(link, "the connection was closed");
}

void World::TellPlaceDown(const Link& link, const std::string& why) {
  Outward& place = outward_[link];
  place.is_open = place.is_up = false;
  After(milliseconds(0), [this, link, why, opened = place.opened] {
    if (outward_[link].opened != opened) return;
    agents_[static_cast<std::size_t>(link.first)]->OnLink(link.second, LinkDown{why});
  });
}

void World::TakeAtPort(const Link& link, std::uint64_t id, const Message& message) {
  Outward& place = outward_[link];
  SimAgent& agent = *agents_[static_cast<std::size_t>(link.first)];
  if (message.envelope.has_announce()) {
    const bool keeps = bug_ == PlantedBug::kAgentKeepsAReplacedLink && place.route != 0;
    if (keeps || !agent.is_running()) return;
    const bool was_up = place.is_up;
    place.route = id;
    place.is_route_closed = false;
    if (was_up) return TellPlaceDown(link, "it connected anew");
    if (place.is_open) OpenPlace(link);
    return;
  }
  // What is left of an earlier connection.
  if (id != place.route || !place.is_up) return;
  agent.OnLink(link.second, MessageReceived{message});
}

}  // namespace bitpilot::simulation
