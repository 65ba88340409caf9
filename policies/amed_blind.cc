#include "policies/amed_blind.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <set>

#include "policies/acquisition.h"
#include "policies/moves.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

constexpr int kWorlds = 64;

// Candidates of one decision.
constexpr int kThompsonDraws = 128;
constexpr int kFrontNeighbours = 192;
constexpr int kIncumbentNeighbours = 64;
constexpr int kCrossovers = 64;

// Best candidates that are climbed, and how far.
constexpr std::size_t kClimbed = 4;
constexpr int kMaxClimbSteps = 8;

// Prices of latency that Thompson draws choose at, log-uniform: nats for the whole of uniform 8
// bit.
constexpr double kLowestPrice = 0.02;
constexpr double kHighestPrice = 20.0;

struct Ranked {
  Choice choice;
  Origin origin = Origin::kUnknown;
  double improvement = 0.0;
};

// Candidates of one decision, each choice once.
class CandidatePool {
 public:
  // `allowed`: not seen, and within the budgets that need no measurement.
  CandidatePool(const Acquisition& acquisition, std::function<bool(const Choice&)> allowed)
      : acquisition_(acquisition), allowed_(std::move(allowed)) {}

  void Add(const Choice& choice, Origin origin) {
    if (taken_.insert(choice).second && allowed_(choice)) {
      candidates_.push_back({choice, origin, acquisition_.ExpectedImprovement(choice)});
    }
  }

  std::size_t size() const { return candidates_.size(); }

  // The `count` best ones, best first; of equals the one added first.
  std::vector<Ranked> Best(std::size_t count) const {
    std::vector<Ranked> best = candidates_;
    std::stable_sort(best.begin(), best.end(), [](const Ranked& a, const Ranked& b) {
      return a.improvement > b.improvement;
    });
    best.resize(std::min(best.size(), count));
    return best;
  }

 private:
  const Acquisition& acquisition_;
  std::function<bool(const Choice&)> allowed_;
  std::set<Choice> taken_;
  std::vector<Ranked> candidates_;
};

void AddMoves(const SearchProblem& problem, const std::vector<Transition>& history,
              const std::vector<std::size_t>& front, std::optional<std::size_t> incumbent,
              RandomStream& random, CandidatePool& pool) {
  const int members = static_cast<int>(front.size());
  const auto member = [&]() -> const Choice& {
    return history[front[static_cast<std::size_t>(random.NextIndex(members))]].choice;
  };
  for (int i = 0; members > 0 && i < kFrontNeighbours; ++i) {
    pool.Add(NeighbourMove(problem, member(), random), Origin::kFrontNeighbour);
  }
  for (int i = 0; members > 1 && i < kCrossovers; ++i) {
    const Choice& other = member();
    pool.Add(Crossover(member(), other, random), Origin::kFrontCrossover);
  }
  for (int i = 0; incumbent && i < kIncumbentNeighbours; ++i) {
    pool.Add(NeighbourMove(problem, history[*incumbent].choice, random),
             Origin::kIncumbentNeighbour);
  }
}

void AddThompsonDraws(const SearchProblem& problem, const CostModel& cost,
                      const std::vector<World>& worlds, RandomStream& random, CandidatePool& pool) {
  for (int i = 0; i < kThompsonDraws; ++i) {
    const World& world = worlds[static_cast<std::size_t>(i) % worlds.size()];
    const double log_range = PlainLog(kHighestPrice / kLowestPrice);
    const double price = kLowestPrice * PlainExp(log_range * random.NextUniform());
    pool.Add(BestChoice(problem, cost, world, price), Origin::kThompsonSample);
  }
}

// Moves the best candidates to the best of their single changes until nothing improves.
void Climb(const SearchProblem& problem, CandidatePool& pool) {
  for (int step = 0; step < kMaxClimbSteps; ++step) {
    const std::size_t size_before = pool.size();
    for (const Ranked& candidate : pool.Best(kClimbed)) {
      for (const Choice& changed : SingleChanges(problem, candidate.choice)) {
        pool.Add(changed, candidate.origin);
      }
    }
    if (pool.size() == size_before) {
      return;
    }
  }
}

std::string Describe(const Ranked& candidate) {
  char text[80];
  std::snprintf(text, sizeof text, ", expected to add %.5f to the hypervolume",
                candidate.improvement);
  return std::string(ToString(candidate.origin)) + text;
}

}  // namespace

std::vector<Candidate> AmedBlindPolicy::Propose(TicketId ticket, int count) {
  std::vector<Candidate> pending = Unseen(answers_, count);
  if (!pending.empty()) {
    return pending;
  }
  RandomStream random = StreamOf(ticket);
  const Surrogate surrogate(problem(), cost(), history());
  std::vector<World> worlds;
  worlds.reserve(kWorlds);
  for (int i = 0; i < kWorlds; ++i) {
    worlds.push_back(surrogate.SampleWorld(random));
  }
  measured_.Take(history());
  const Acquisition acquisition(problem(), cost(), measured_, worlds);
  CandidatePool pool(acquisition,
                     [this](const Choice& choice) { return !Seen(choice) && IsAllowed(choice); });
  AddThompsonDraws(problem(), cost(), worlds, random, pool);
  // Load() may have brought another seed.
  if (!walk_ || walk_->seed() != seed()) walk_.emplace(problem(), seed());
  walk_->Take(history());
  AddMoves(problem(), history(), acquisition.front(), walk_->incumbent(), random, pool);
  Climb(problem(), pool);
  const std::vector<Ranked> best = pool.Best(1);
  if (!best.empty()) {
    return {{.choice = best.front().choice,
             .origin = best.front().origin,
             .reason = Describe(best.front())}};
  }
  // Everything near was seen or breaks a budget.
  Choice choice = NearestUnseen(UniformChoice(problem(), 8), random);
  if (choice.empty()) {
    return {};
  }
  return {{.choice = std::move(choice),
           .origin = Origin::kNearestUnseen,
           .reason = std::string(ToString(Origin::kNearestUnseen))}};
}

bool AmedBlindPolicy::IsAllowed(const Choice& choice) const {
  const PredictedCost predicted = cost().Predict(choice);
  const Budgets& budgets = problem().budgets;
  return (!budgets.max_weight_bytes || predicted.weight_bytes <= *budgets.max_weight_bytes) &&
         (!budgets.max_energy_ratio || !predicted.energy_ratio ||
          problem().energy_objective == EnergyObjective::kMeasured ||
          *predicted.energy_ratio <= *budgets.max_energy_ratio);
}

}  // namespace bitpilot
