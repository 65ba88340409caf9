#include "experiments/reliability/world.h"

#include <algorithm>
#include <set>

#include "experiments/reliability/sim_agent.h"
#include "experiments/reliability/sim_board.h"
#include "experiments/reliability/study.h"

namespace bitpilot::simulation {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFaultPeriod{1'000};
// A world whose clock stands still while events come and come.
constexpr int kMostEventsAtATime = 20'000;
// More than the cores may ever have on the way at a time.
constexpr std::size_t kMostInFlight = 200;

}  // namespace

World::World(const Scenario& scenario, PlantedBug bug, std::ostream* trace)
    : scenario_(scenario), bug_(bug), trace_(trace), random_(scenario.seed) {
  std::set<std::string> tags;
  for (std::size_t i = 0; i < scenario.boards.size(); ++i) {
    boards_.push_back(std::make_unique<SimBoard>(*this, static_cast<int>(i), scenario.boards[i]));
    tags.insert(scenario.boards[i].tag);
  }
  const std::vector<std::string> classes(tags.begin(), tags.end());
  for (int i = 0; i < static_cast<int>(scenario.agents.size()); ++i) {
    agents_.push_back(std::make_unique<SimAgent>(
        *this, i,
        MakeStudy(i, scenario.jobs_per_agent, classes, scenario.seed + static_cast<unsigned>(i),
                  scenario.has_large_files)));
  }
}

World::~World() = default;

void World::At(milliseconds when, std::function<void()> what) {
  events_.push_back({std::max(when, now_), ++num_scheduled_, std::move(what)});
  std::push_heap(events_.begin(), events_.end(), IsLater());
}

void World::Trace(const std::string& text) {
  if (trace_ != nullptr) *trace_ << now_.count() << " ms  " << text << '\n';
}

Outcome World::Run() {
  for (const auto& board : boards_) At(random_.Time(0, 2'000), [&board] { board->Start(); });
  for (const auto& agent : agents_) At(random_.Time(0, 5'000), [&agent] { agent->Start(); });
  At(kFaultPeriod, [this] { BreakThings(); });
  At(scenario_.faults_end, [this] { Heal(); });
  Outcome outcome;
  outcome.seed = scenario_.seed;
  int events_now = 0;
  while (!oracle_.violation() && !IsDone()) {
    if (events_.empty() || events_.front().when > scenario_.end) {
      std::string open;
      for (std::size_t i = 0; i < agents_.size(); ++i) {
        if (!agents_[i]->is_done()) {
          open += " agent " + std::to_string(i) + " still has " + agents_[i]->DescribeOpenJobs();
        }
      }
      oracle_.Break("progress", "long after the last fault" + open);
      break;
    }
    // Taken before it runs: it may schedule others.
    std::pop_heap(events_.begin(), events_.end(), IsLater());
    const Event event = std::move(events_.back());
    events_.pop_back();
    events_now = event.when == now_ ? events_now + 1 : 0;
    now_ = event.when;
    if (events_now > kMostEventsAtATime) oracle_.Break("progress", "time stands still");
    ++outcome.events;
    event.what();
  }
  outcome.violation = oracle_.violation().value_or("");
  outcome.executions = oracle_.num_executions();
  outcome.at = now_;
  return outcome;
}

bool World::IsDone() const {
  return std::all_of(agents_.begin(), agents_.end(),
                     [](const auto& agent) { return agent->is_done(); });
}

// ---- Faults

World::Link World::AnyLink() {
  return {random_.Below(static_cast<int>(scenario_.agents.size())), random_.Below(num_boards())};
}

void World::BreakThings() {
  if (!has_faults()) return;
  After(kFaultPeriod, [this] { BreakThings(); });
  const Faults& faults = scenario_.faults;
  const Link link = AnyLink();
  const auto [agent, index] = link;
  SimBoard& victim = board(index);
  if (random_.Permille(faults.broken) && current_.contains(link)) {
    Trace("the link of agent " + std::to_string(agent) + " and board " + std::to_string(index) +
          " breaks");
    connections_.erase(current_.at(link));
    // Every other one is half open: nobody says a word.
    if (random_.Permille(500)) TellDown(link, "connection reset");
  }
  if (random_.Permille(faults.partitioned)) {
    const milliseconds until = now_ + random_.Time(500, 40'000);
    const int which = random_.Below(3);
    if (which != 0) partitions_[{link, true}] = until;
    if (which != 1) partitions_[{link, false}] = until;
    Trace("agent " + std::to_string(agent) + " and board " + std::to_string(index) +
          " are parted until " + std::to_string(until.count()));
  }
  if (random_.Permille(faults.board_crashes)) {
    Trace("board " + std::to_string(index) + " crashes");
    victim.Crash();
    After(random_.Time(100, 40'000), [&victim] { victim.Start(); });
  }
  if (random_.Permille(faults.board_hangs)) {
    Trace("board " + std::to_string(index) + " hangs");
    if (random_.Permille(500)) {
      victim.Hang(std::nullopt);
    } else {
      victim.Hang(random_.Time(1'000, 60'000));
    }
  }
  if (random_.Permille(faults.slow_boards)) victim.SlowDown(random_.Time(5'000, 60'000));
  SimAgent& one = *agents_[static_cast<std::size_t>(agent)];
  if (random_.Permille(faults.agent_crashes)) {
    Trace("agent " + std::to_string(agent) + " is killed");
    one.Crash();
    After(random_.Time(10, 40'000), [&one] { one.Start(); });
  }
  if (random_.Permille(faults.agent_freezes)) one.Freeze(random_.Time(1'000, 60'000));
  if (random_.Permille(faults.leaves)) one.LeaveBoard(index, random_.Time(1'000, 20'000));
}

// The lab's engineer comes in.
void World::Heal() {
  Trace("faults end");
  partitions_.clear();
  for (const auto& one : boards_) {
    one->Crash();
    After(random_.Time(0, 5'000), [&one] { one->Start(); });
  }
  for (const auto& one : agents_) After(random_.Time(0, 5'000), [&one] { one->Start(); });
}

// ---- The network

void World::Open(int agent, int index) {
  const Link link{agent, index};
  Close(agent, index);
  const std::uint64_t id = ++num_connections_;
  current_[link] = id;
  connections_[id].link = link;
  After(random_.Time(1, 20), [this, id] { Connect(id); });
}

void World::Connect(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const Link link = found->second.link;
  if (IsPartitioned(link, true) || IsPartitioned(link, false)) return;  // no answer at all
  if (!board(link.second).is_up()) {
    connections_.erase(found);
    return TellDown(link, "nothing accepts connections there");
  }
  found->second.is_up = true;
  agents_[static_cast<std::size_t>(link.first)]->OnLink(link.second, LinkUp{});
}

void World::Close(int agent, int index) {
  const auto found = current_.find({agent, index});
  if (found == current_.end()) return;
  connections_.erase(found->second);
  current_.erase(found);
}

void World::TellDown(const Link& link, const std::string& reason) {
  const auto found = current_.find(link);
  if (found == current_.end()) return;
  After(random_.Time(0, 300), [this, link, reason, id = found->second] {
    const auto now = current_.find(link);
    if (now == current_.end() || now->second != id) return;
    agents_[static_cast<std::size_t>(link.first)]->OnLink(link.second, LinkDown{reason});
  });
}

void World::DropConnectionsOf(int index) {
  for (const auto& [link, id] : std::map<Link, std::uint64_t>(current_)) {
    if (link.second != index) continue;
    connections_.erase(id);
    if (random_.Permille(700)) TellDown(link, "the peer closed the connection");
  }
}

void World::DropConnectionsOfAgent(int agent) {
  std::erase_if(current_, [&](const auto& one) { return one.first.first == agent; });
  std::erase_if(connections_, [&](const auto& one) { return one.second.link.first == agent; });
}

bool World::IsPartitioned(const Link& link, bool to_board) const {
  const auto found = partitions_.find({link, to_board});
  return found != partitions_.end() && now_ < found->second;
}

std::string World::UserOf(const std::string& connection) const {
  return connection.substr(0, connection.find('/'));
}

void World::ToBoard(int agent, int index, Message message) {
  const auto found = current_.find({agent, index});
  if (found != current_.end()) Transmit(found->second, true, std::move(message));
}

void World::ToAgent(int, const std::string& connection, Message message) {
  Transmit(std::stoull(connection.substr(connection.find('/') + 1)), false, std::move(message));
}

void World::Transmit(std::uint64_t id, bool to_board, Message message) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || !found->second.is_up) return;
  Connection& connection = found->second;
  if (trace_ != nullptr) {
    Trace("agent " + std::to_string(connection.link.first) + (to_board ? " -> " : " <- ") +
          "board " + std::to_string(connection.link.second) + "  " +
          std::string(BodyName(message.envelope.body_case())) + " " +
          std::to_string(message.envelope.request_id()));
  }
  const bool is_lost = IsPartitioned(connection.link, to_board) ||
                       (has_faults() && random_.Permille(scenario_.faults.dropped));
  if (is_lost) return;
  const int copies = has_faults() && random_.Permille(scenario_.faults.doubled) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    milliseconds arrival = now_ + random_.Time(0, 5);
    milliseconds& last = connection.last_arrival[to_board ? 1 : 0];
    if (has_faults() && random_.Permille(scenario_.faults.delayed)) {
      arrival += random_.Time(0, 4'000);
    } else {
      arrival = last = std::max(arrival, last);
    }
    oracle_.OnQueue("a connection", ++connection.in_flight, kMostInFlight);
    At(arrival, [this, id, to_board, message] { Arrive(id, to_board, message); });
  }
}

void World::Arrive(std::uint64_t id, bool to_board, const Message& message) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  --found->second.in_flight;
  const auto [agent, index] = found->second.link;
  if (to_board) {
    const std::string user = "agent" + std::to_string(agent);
    board(index).Receive(user + "/" + std::to_string(id), user, message);
  } else {
    agents_[static_cast<std::size_t>(agent)]->OnLink(index, MessageReceived{message});
  }
}

Outcome RunSeed(std::uint64_t seed, PlantedBug bug, std::ostream* trace) {
  return World(ScenarioOf(seed), bug, trace).Run();
}

std::string ReproducerOf(std::uint64_t seed, PlantedBug bug) {
  return "fleet-simulation --seed " + std::to_string(seed) +
         (bug == PlantedBug::kNone ? "" : " --bug " + std::string(ToString(bug))) + " --trace";
}

}  // namespace bitpilot::simulation
