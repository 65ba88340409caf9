// World: agents, boards and the network between them in one process, under one clock and one source of
// chance. Everything follows from the seed.
//
// Time is a number: an event happens when all earlier ones have. The network keeps messages of a
// connection in order, as TCP does, until a fault says otherwise: messages are dropped, doubled,
// delayed and overtake each other, links break with and without a word, partitions cut one direction
// or both; boards crash, restart, hang and slow down; agents are killed, stopped and started again;
// boards leave the fleet and come back, are drained and undrained, and come back changed. Some boards
// connect to their agents (world_outward.cc). All of that ends at Scenario::faults_end, and all jobs must
// come to their end: in most worlds without a restart of anything that is up.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/client_core.h"
#include "experiments/reliability/oracle.h"
#include "experiments/reliability/scenario.h"
#include "experiments/reliability/sim_random.h"
#include "proto/framing.h"

namespace bitpilot::simulation {

class SimAgent;
class SimBoard;

// What a run came to.
struct Outcome {
  std::uint64_t seed = 0;
  std::string violation;  // the law that was broken first, and how; empty if none was
  int events = 0;
  int executions = 0;
  std::chrono::milliseconds at{0};            // simulated time at its end
  std::map<std::string, Oracle::Peak> peaks;  // how near it came to each bound
};

class World {
 public:
  // trace: where every message and fault is written, or null.
  World(const Scenario& scenario, PlantedBug bug, std::ostream* trace);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Outcome Run();

  // ---- For agents and boards.
  const Scenario& scenario() const { return scenario_; }
  const Faults& faults() const { return scenario_.faults; }
  PlantedBug bug() const { return bug_; }
  bool has_faults() const { return now_ < scenario_.faults_end; }
  std::chrono::milliseconds now() const { return now_; }
  SimRandom& random() { return random_; }
  Oracle& oracle() { return oracle_; }
  SimBoard& board(int index) { return *boards_[static_cast<std::size_t>(index)]; }
  int num_boards() const { return static_cast<int>(boards_.size()); }

  void At(std::chrono::milliseconds when, std::function<void()> what);
  void After(std::chrono::milliseconds time, std::function<void()> what) {
    At(now_ + time, std::move(what));
  }
  void Trace(const std::string& text);

  void Open(int agent, int board);
  void Close(int agent, int board);
  void ToBoard(int agent, int board, Message message);
  // connection: as SimBoard::Receive() was told.
  void ToAgent(int board, const std::string& connection, Message message);
  std::string UserOf(const std::string& connection) const;
  void DropConnectionsOf(int board);
  void DropConnectionsOfAgent(int agent);
  // A board has started that connects to its agents.
  void ConnectOutwards(int board);

 private:
  static constexpr std::chrono::milliseconds kFaultPeriod{1'000};
  using Link = std::pair<int, int>;  // agent, board
  struct Connection {
    Link link;
    bool is_up = false;
    std::chrono::milliseconds last_arrival[2] = {};  // at the agent, at the board
    std::size_t in_flight = 0;
  };
  // Of a link of a board that connects to its agent: what each side knows of it.
  struct Outward {
    // The board (device_daemon/server/outward_link.h).
    std::uint64_t connection = 0;  // 0: none
    std::uint64_t turn = 0;        // of its attempts
    std::chrono::milliseconds pause{0};
    // The agent's port (agent/fleet/board_port.h).
    std::uint64_t route = 0;       // 0: no connection
    bool is_route_closed = false;  // and the port knows
    bool is_open = false;
    bool is_up = false;
    std::uint64_t opened = 0;  // how often
  };
  struct Event {
    std::chrono::milliseconds when;
    std::uint64_t number;  // of equal times, the order
    std::function<void()> what;
  };
  struct IsLater {
    bool operator()(const Event& one, const Event& other) const {
      return std::pair(one.when, one.number) > std::pair(other.when, other.number);
    }
  };

  void BreakThings();
  void BreakBoard(int index);
  void Heal();
  // A board that hangs for good will be power-cycled by an agent.
  bool WillBeCycled(int index);
  void Connect(std::uint64_t id);

  // Boards that connect out (world_outward.cc).
  bool ConnectsOut(int index) const;
  void Dial(const Link& link, std::chrono::milliseconds after);
  void TryToConnect(const Link& link);
  void EndAttempt(const Link& link);
  void OpenPlace(const Link& link);
  void SendByPlace(const Link& link, Message message);
  void TakeAtPort(const Link& link, std::uint64_t id, const Message& message);
  void TellPlaceDown(const Link& link, const std::string& why);
  // The connection ends; who does not see it, learns it later or never.
  void BreakOutward(const Link& link, bool board_sees, bool agent_sees);
  void CheckHeartbeats(const Link& link);
  void Transmit(std::uint64_t id, bool to_board, Message message);
  void Arrive(std::uint64_t id, bool to_board, const Message& message);
  bool IsPartitioned(const Link& link, bool to_board) const;
  void TellDown(const Link& link, const std::string& reason);
  bool IsDone() const;
  Link AnyLink();

  const Scenario scenario_;
  const PlantedBug bug_;
  std::ostream* const trace_;
  SimRandom random_;
  Oracle oracle_;
  std::chrono::milliseconds now_{0};
  std::uint64_t num_scheduled_ = 0;
  std::vector<Event> events_;  // a heap, the next one first
  std::vector<std::unique_ptr<SimBoard>> boards_;
  std::vector<std::unique_ptr<SimAgent>> agents_;

  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t num_connections_ = 0;
  std::map<Link, std::uint64_t> current_;  // that an agent takes for its link
  std::map<Link, Outward> outward_;
  std::map<std::pair<Link, bool>, std::chrono::milliseconds>
      partitions_;  // by direction: until when
};

// Runs one seed.
Outcome RunSeed(std::uint64_t seed, PlantedBug bug = PlantedBug::kNone,
                std::ostream* trace = nullptr);

// How to see it again: "fleet-simulation --seed 7 --bug none --trace".
std::string ReproducerOf(std::uint64_t seed, PlantedBug bug);

}  // namespace bitpilot::simulation
