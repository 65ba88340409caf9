#include "experiments/reliability/world.h"

#include <algorithm>
#include <set>

#include "experiments/reliability/sim_agent.h"
#include "experiments/reliability/sim_board.h"
#include "experiments/reliability/study.h"

namespace bitpilot::simulation {
namespace {

using std::chrono::milliseconds;

// A world whose clock stands still while events come and come: twice what thousands of seeds had.
constexpr int kMostEventsAtATime = 28;
// Twice what the cores ever had on the way at a time.
constexpr std::size_t kMostInFlight = 18;

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
  if (const auto& change = scenario_.change) {
    At(change->at, [this, one = *change] {
      Trace("board " + std::to_string(one.board) + " is changed");
      board(one.board).Change(one.is_of_kernels);
      After(random_.Time(500, 10'000), [this, one] { board(one.board).Start(); });
    });
  }
  Outcome outcome;
  outcome.seed = scenario_.seed;
  int events_now = 0;
  int most_events_now = 0;
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
    if (events_now > most_events_now) most_events_now = events_now;
    if (events_now > kMostEventsAtATime) oracle_.Break("progress", "time stands still");
    ++outcome.events;
    event.what();
  }
  outcome.violation = oracle_.violation().value_or("");
  outcome.executions = oracle_.num_executions();
  outcome.at = now_;
  outcome.peaks = oracle_.peaks();
  const auto note = [&](const std::string& what, auto size, auto limit) {
    outcome.peaks[what] = {static_cast<std::size_t>(size), static_cast<std::size_t>(limit)};
  };
  note("events at a time", most_events_now, kMostEventsAtATime);
  note("later jobs that pass one over", oracle_.most_overtakers(), Oracle::kMostOvertakers);
  note("seconds from the last fault to the last result",
       std::max(now_ - scenario_.faults_end, milliseconds{0}).count() / 1'000,
       (scenario_.end - scenario_.faults_end).count() / 1'000);
  note("leases of which it is not known whether they are alive", oracle_.open_lease_questions(),
       oracle_.lease_questions());
  return outcome;
}

bool World::IsDone() const {
  return std::all_of(agents_.begin(), agents_.end(),
                     [](const auto& agent) { return agent->is_done(); });
}

// ---- The network

void World::Open(int agent, int index) {
  const Link link{agent, index};
  if (ConnectsOut(index)) return OpenPlace(link);
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
  if (ConnectsOut(index)) {
    Outward& place = outward_[{agent, index}];
    place.is_open = place.is_up = false;
    return;
  }
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
  for (auto& [link, outward] : outward_) {
    if (link.second != index) continue;
    BreakOutward(link, /*board_sees=*/false, /*agent_sees=*/random_.Permille(700));
    ++outward.turn;  // Nobody is there who would try again.
    outward.connection = 0;
  }
}

void World::DropConnectionsOfAgent(int agent) {
  for (auto& [link, outward] : outward_) {
    if (link.first != agent) continue;
    BreakOutward(link, /*board_sees=*/random_.Permille(700), /*agent_sees=*/false);
    outward.route = 0;
    outward.is_open = outward.is_up = outward.is_route_closed = false;
    ++outward.opened;
  }
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
  if (ConnectsOut(index)) return SendByPlace({agent, index}, std::move(message));
  const auto found = current_.find({agent, index});
  if (found != current_.end()) Transmit(found->second, true, std::move(message));
}

void World::ToAgent(int index, const std::string& connection, Message message) {
  const std::string number = connection.substr(connection.find('/') + 1);
  if (!ConnectsOut(index)) return Transmit(std::stoull(number), false, std::move(message));
  // By a link that the route names, whichever connection it has now.
  const auto outward = outward_.find({std::stoi(number), index});
  if (outward != outward_.end()) Transmit(outward->second.connection, false, std::move(message));
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
  if (is_lost) {
    oracle_.OnDisturbed(connection.link.first, connection.link.second, now_);
    // TCP would bring it later, or the connection ends.
    if (message.envelope.has_announce()) BreakOutward(Link(connection.link), false, false);
    return;
  }
  const int copies = has_faults() && random_.Permille(scenario_.faults.doubled) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    milliseconds arrival = now_ + random_.Time(0, 5);
    milliseconds& last = connection.last_arrival[to_board ? 1 : 0];
    if (has_faults() && random_.Permille(scenario_.faults.delayed)) {
      arrival += random_.Time(0, 4'000);
      oracle_.OnDisturbed(connection.link.first, connection.link.second, arrival);
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
    const std::string name = std::to_string(ConnectsOut(index) ? static_cast<unsigned>(agent) : id);
    board(index).Receive(user + "/" + name, user, message);
  } else if (ConnectsOut(index)) {
    TakeAtPort({agent, index}, id, message);
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
