#include "experiments/reliability/scenario.h"

#include "experiments/reliability/sim_random.h"

namespace bitpilot::simulation {

std::string_view ToString(PlantedBug bug) {
  switch (bug) {
    case PlantedBug::kNone:
      return "none";
    case PlantedBug::kBoardForgetsEpochs:
      return "board-forgets-epochs";
    case PlantedBug::kBoardGrantsAHeldLease:
      return "board-grants-a-held-lease";
    case PlantedBug::kBoardRunsWithoutLease:
      return "board-runs-without-lease";
    case PlantedBug::kBoardRunsADuplicate:
      return "board-runs-a-duplicate";
    case PlantedBug::kBoardRunsTwoJobsAtOnce:
      return "board-runs-two-jobs-at-once";
    case PlantedBug::kBoardIgnoresPriorities:
      return "board-ignores-priorities";
    case PlantedBug::kBoardLosesStoredResults:
      return "board-loses-stored-results";
    case PlantedBug::kBoardMeasuresAnotherNetwork:
      return "board-measures-another-network";
    case PlantedBug::kBoardSwapsNetworks:
      return "board-swaps-networks";
    case PlantedBug::kBoardInventsFailures:
      return "board-invents-failures";
    case PlantedBug::kBoardLosesAStoppedWorker:
      return "board-loses-a-stopped-worker";
    case PlantedBug::kBoardStopsAtADrain:
      return "board-stops-at-a-drain";
    case PlantedBug::kBoardForgetsADrain:
      return "board-forgets-a-drain";
    case PlantedBug::kBoardHidesAChange:
      return "board-hides-a-change";
    case PlantedBug::kAgentRecordsTwice:
      return "agent-records-twice";
    case PlantedBug::kAgentAcknowledgesEarly:
      return "agent-acknowledges-early";
    case PlantedBug::kAgentLosesItsLastRecord:
      return "agent-loses-its-last-record";
    case PlantedBug::kAgentMixesUpJobs:
      return "agent-mixes-up-jobs";
    case PlantedBug::kAgentSwapsJobs:
      return "agent-swaps-jobs";
    case PlantedBug::kAgentInventsFailures:
      return "agent-invents-failures";
    case PlantedBug::kAgentGivesUpAtOnce:
      return "agent-gives-up-at-once";
    case PlantedBug::kAgentInventsNumbers:
      return "agent-invents-numbers";
    case PlantedBug::kAgentMixesClasses:
      return "agent-mixes-classes";
    case PlantedBug::kAgentKeepsEveryJob:
      return "agent-keeps-every-job";
    case PlantedBug::kAgentIgnoresTime:
      return "agent-ignores-time";
    case PlantedBug::kAgentForgetsALostBoard:
      return "agent-forgets-a-lost-board";
    case PlantedBug::kAgentKeepsIdleBoards:
      return "agent-keeps-idle-boards";
    case PlantedBug::kAgentCutsPowerForEver:
      return "agent-cuts-power-for-ever";
    case PlantedBug::kAgentCutsPowerOfDrainedBoards:
      return "agent-cuts-power-of-drained-boards";
    case PlantedBug::kAgentKeepsAReplacedLink:
      return "agent-keeps-a-replaced-link";
    case PlantedBug::kAgentLosesNumbers:
      return "agent-loses-numbers";
    case PlantedBug::kBoardHidesNoise:
      return "board-hides-noise";
  }
  return "unknown";
}

namespace {

Faults FaultsOf(SimRandom& random) {
  const bool has_all = random.Permille(333);
  const auto rate = [&](int highest) {
    return has_all || random.Permille(450) ? random.Between(1, highest) : 0;
  };
  Faults faults;
  faults.dropped = rate(60);
  faults.doubled = rate(200);
  faults.delayed = rate(150);
  faults.broken = rate(60);
  faults.partitioned = rate(25);
  faults.board_crashes = rate(30);
  faults.board_hangs = rate(15);
  faults.agent_crashes = rate(30);
  faults.agent_freezes = rate(10);
  faults.leaves = rate(15);
  faults.worker_failures = rate(250);
  faults.slow_boards = rate(15);
  faults.full_disks = rate(30);
  faults.drains = rate(25);
  faults.replaced = rate(60);
  return faults;
}

}  // namespace

// A third of the seeds has every fault, the others some, each at a rate of its own, and a few none at all.
Scenario ScenarioOf(std::uint64_t seed) {
  SimRandom random(seed * 0x2545f4914f6cdd1dULL + 1);
  Scenario scenario;
  scenario.seed = seed;
  const int num_agents = random.Permille(500) ? 1 : random.Between(2, 3);
  for (int i = 0; i < num_agents; ++i) {
    scenario.agents.push_back({random.Permille(350), random.Between(-1, 1)});
  }
  scenario.jobs_per_agent = random.Between(4, 10);
  scenario.has_large_files = random.Permille(60);
  const int num_boards = random.Between(1, 4);
  for (int i = 0; i < num_boards; ++i) {
    const std::string tag = random.Permille(300) ? "small" : "big";
    scenario.boards.push_back({tag, tag, random.Permille(150), random.Permille(250)});
  }
  const bool has_two_alike = num_boards >= 2 && scenario.boards[0].tag == scenario.boards[1].tag;
  // One that does not belong, beside others that do.
  if (num_boards >= 2 && random.Permille(300)) {
    scenario.boards.push_back({scenario.boards.front().tag, "odd", false});
  }
  const bool is_quiet = random.Permille(60);
  if (!is_quiet) scenario.faults = FaultsOf(random);
  scenario.faults_end = random.Time(30'000, 120'000);
  if (has_two_alike && !is_quiet && random.Permille(500)) {
    scenario.change = Scenario::Change{
        0, random.Time(5'000, static_cast<int>(scenario.faults_end.count()) - 1'000),
        random.Permille(500)};
  }
  scenario.restarts_all = !is_quiet && random.Permille(250);
  scenario.end = scenario.faults_end + std::chrono::minutes(6);
  return scenario;
}

}  // namespace bitpilot::simulation
