// The log is the order of Next(): with it every decision repeats, whatever boards do meanwhile.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policies/history_policy.h"
#include "policies/policy.h"
#include "policies/random_stream.h"
#include "tests/policies/search_log.h"
#include "tests/policies/synthetic_environment.h"

namespace bitpilot {
namespace {

// What boards do in one schedule: anything, drawn at random.
SyntheticOptions RandomSchedule(SyntheticOptions options, std::uint64_t number) {
  RandomStream random(options.seed, "schedules", number);
  options.schedule = number;
  options.classes = 1 + random.NextIndex(3);
  options.slots = 1 + random.NextIndex(8);
  options.unavailable_rate = random.NextIndex(3) == 0 ? 0.5 * random.NextUniform() : 0.0;
  options.interruption_rate = 0.2 * random.NextUniform();
  options.late_rate = 0.4 * random.NextUniform();
  options.change_rate = random.NextIndex(3) == 0 ? 0.2 : 0.0;
  if (random.NextIndex(4) == 0) options.board_seconds = 30.0;
  return options;
}

// Networks to search, with the integer program's answers: solved once.
struct Network {
  std::string policy;
  std::shared_ptr<SyntheticWorld> world;
  IntegerProgramAnswers answers;

  Network(std::string name, SyntheticOptions options)
      : policy(std::move(name)), world(std::make_shared<SyntheticWorld>(options)) {
    const SearchProblem& problem = world->problem();
    if (const int count = NumIntegerProgramAnswers(policy, problem); count > 0) {
      answers = SolveIntegerProgram(problem, CostModel::Create(problem).value(), count).value();
    }
  }

  std::unique_ptr<Policy> Make(std::uint64_t seed) const {
    return MakePolicy(policy, world->problem(), seed, answers).value();
  }
};

// What schedules of one policy were like, so that a test of nothing is noticed.
struct Seen {
  int most_in_flight = 0;
  int events = 0;
  int out_of_order = 0;
  int diverged = 0;
  int failed = 0;
  int unavailable = 0;
  int changes = 0;  // Conditions after the first ones
};

void Count(const SearchLog& log, Seen* seen) {
  TicketId last_answered = 0;
  int in_flight = 0;
  for (const SearchEvent& event : log) {
    ++seen->events;
    if (const auto* outcome = std::get_if<TrialOutcome>(&event.observation)) {
      --in_flight;
      seen->out_of_order += outcome->id < last_answered ? 1 : 0;
      last_answered = outcome->id;
      seen->diverged += outcome->score ? 0 : 1;
      for (const ClassOutcome& one : outcome->classes) {
        seen->failed += std::holds_alternative<CandidateFailed>(one.result) ? 1 : 0;
        seen->unavailable += std::holds_alternative<BoardUnavailable>(one.result) ? 1 : 0;
      }
    } else {
      seen->changes += &event == &log.front() ? 0 : 1;
    }
    for (const Action& action : event.actions) {
      in_flight += std::holds_alternative<Trial>(action) ? 1 : 0;
    }
    seen->most_in_flight = std::max(seen->most_in_flight, in_flight);
  }
}

// Searches by `schedules` schedules. Each log, decided again from the beginning and from an event in
// its middle, must give the same actions.
void ExpectEveryOrderRepeats(const std::string& policy, const SyntheticOptions& options,
                             int schedules) {
  const Network network(policy, options);
  const SearchProblem& problem = network.world->problem();
  Seen seen;
  for (int i = 0; i < schedules && !testing::Test::HasFailure(); ++i) {
    const auto number = static_cast<std::uint64_t>(i);
    SCOPED_TRACE("schedule " + std::to_string(i));
    SyntheticEnvironment environment(network.world, RandomSchedule(options, number));
    RandomStream random(options.seed, "resume", number);
    bool extends = random.NextIndex(4) == 0;
    const auto go_on = [&] {
      if (!std::exchange(extends, false)) return false;
      Totals totals = network.world->totals();
      totals.measurements += 6;
      totals.mini_batches += 6 * problem.batches_per_step;
      environment.Extend(totals);
      return true;
    };
    const SearchLog log = RunSearch(*network.Make(number), environment, go_on);
    const int middle = random.NextIndex(static_cast<int>(log.size()));
    for (const std::size_t first : {std::size_t{0}, static_cast<std::size_t>(middle)}) {
      ASSERT_EQ(FirstOtherDecision(*network.Make(number), problem, log, first, log.size()), "");
    }
    Count(log, &seen);
  }
  EXPECT_GE(seen.most_in_flight, 8);
  for (const int count :
       {seen.out_of_order, seen.diverged, seen.failed, seen.unavailable, seen.changes}) {
    EXPECT_GT(count, schedules / 40);
  }
  EXPECT_GT(seen.events, 5 * schedules);
}

SyntheticOptions Training(int measurements) {
  return {.widths = {2, 4, 8},
          .max_measurements = measurements,
          .failure_rate = 0.15,
          .divergence_rate = 0.15,
          .training = true};
}

TEST(SearchOrderTest, RandomSearchesRepeatFromTheirLogsAndGoOnFromAnyEvent) {
  ExpectEveryOrderRepeats("random", Training(16), 6'000);
}

TEST(SearchOrderTest, LaddersOfTheIntegerProgramRepeatFromTheirLogsAndGoOnFromAnyEvent) {
  ExpectEveryOrderRepeats("ilp", Training(16), 3'000);
}

TEST(SearchOrderTest, UniformSearchesRepeatFromTheirLogsAndGoOnFromAnyEvent) {
  ExpectEveryOrderRepeats("uniform", Training(12), 900);
}

TEST(SearchOrderTest, LearningSearchesRepeatFromTheirLogsAndGoOnFromAnyEvent) {
  ExpectEveryOrderRepeats("amed-blind", Training(11), 100);
}

// Draws from a stream that it saves nothing of.
class ForgetfulPolicy final : public HistoryPolicy {
 public:
  using HistoryPolicy::HistoryPolicy;

  std::string name() const override { return "forgetful"; }

 protected:
  std::vector<Candidate> Propose(TicketId, int) override {
    return {{NearestUnseen(UniformChoice(problem(), 2 + 2 * random_.NextIndex(4)), random_),
             Origin::kRandom, "forgetful"}};
  }

 private:
  RandomStream random_{1, "forgetful"};
};

TEST(SearchOrderTest, NoticesAPolicyThatDependsOnMoreThanItsLog) {
  SyntheticEnvironment environment(Training(8));
  const SearchProblem& problem = environment.problem();
  const auto make = [&] { return ForgetfulPolicy(problem, CostModel::Create(problem).value(), 1); };
  ForgetfulPolicy policy = make();
  const SearchLog log = RunSearch(policy, environment);
  ForgetfulPolicy repeats = make();
  EXPECT_EQ(FirstOtherDecision(repeats, problem, log, 0, log.size()), "");
  ForgetfulPolicy resumes = make();
  EXPECT_NE(FirstOtherDecision(resumes, problem, log, 4, log.size()), "");
}

}  // namespace
}  // namespace bitpilot
