#include "agent/session/final_comparison.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "agent/qat/integer_evaluation.h"
#include "agent/results/accuracy_statistics.h"
#include "agent/results/final_rounds.h"
#include "agent/results/front.h"
#include "agent/results/speed_claims.h"
#include "agent/study/chosen_rows.h"
#include "agent/study/energy_ratios.h"
#include "kernels/base/network_file.h"

namespace bitpilot {
namespace {

constexpr std::string_view kNetworkKind = "network";
constexpr std::size_t kUniform8 = 0;  // index of the finalist that all others are compared with

// The finalists' networks, read from their files once the first live part asks for them.
class FinalistNetworks {
 public:
  FinalistNetworks(const std::vector<Finalist>& finalists, const StoredFile& uniform8,
                   SearchEnvironment& environment, const StudyFiles& files,
                   SearchObserver& observer)
      : finalists_(finalists),
        uniform8_(uniform8),
        environment_(environment),
        files_(files),
        observer_(observer) {}

  Result<const std::vector<Network>*> Get() {
    if (!networks_.empty()) return &networks_;
    std::vector<Network> networks;
    for (std::size_t i = 0; i < finalists_.size(); ++i) {
      Result<Network> network = IsMadeHere(i) ? MakeUniform4(finalists_[i]) : Read(NameOf(i));
      if (!network.ok()) return network.status();
      networks.push_back(std::move(*network));
    }
    networks_ = std::move(networks);
    return &networks_;
  }

  // What Get() made went back to the weights before its training.
  bool uniform4_diverged() const { return uniform4_diverged_; }

  // Uniform 4 bit is no step's.
  bool IsMadeHere(std::size_t i) const { return !finalists_[i].step && i != kUniform8; }

  // What the log says of it before it is registered; without a hash if nothing.
  StoredFile NameOf(std::size_t i) const {
    if (IsMadeHere(i)) return NetworkFile({}, kOlderUniform4File);
    return finalists_[i].step ? environment_.NetworkOf(*finalists_[i].step) : uniform8_;
  }

 private:
  Result<Network> MakeUniform4(const Finalist& finalist) {
    auto trained = environment_.TrainReference(finalist.assignment);
    if (!trained.ok()) return trained.status();
    uniform4_diverged_ = trained->diverged;
    if (trained->diverged) {
      observer_.OnNotice(finalist.label +
                         ": its last training diverged; compared without it, at the weights that "
                         "the search ended with");
    }
    return std::move(trained->network);
  }

  Result<Network> Read(const StoredFile& stored) const {
    const Result<std::string> bytes = files_.Get(stored);
    if (!bytes.ok()) return bytes.status();
    Result<Network> network = ParseNetwork(*bytes);
    if (!network.ok()) return network.status().WithContext(stored.file);
    return network;
  }

  const std::vector<Finalist>& finalists_;
  const StoredFile& uniform8_;
  SearchEnvironment& environment_;
  const StudyFiles& files_;
  SearchObserver& observer_;
  std::vector<Network> networks_;
  bool uniform4_diverged_ = false;
};

FinalRoundsJob RoundsOf(const std::string& prefix, const std::vector<Finalist>& finalists,
                        FinalistNetworks& networks, std::function<Result<Board*>()> board) {
  FinalRoundsJob job;
  job.prefix = prefix;
  for (const Finalist& finalist : finalists) job.assignments.push_back(finalist.assignment);
  job.networks = [&networks]() -> Result<std::vector<const Network*>> {
    const Result<const std::vector<Network>*> loaded = networks.Get();
    if (!loaded.ok()) return loaded.status();
    std::vector<const Network*> pointers;
    for (const Network& network : **loaded) pointers.push_back(&network);
    return pointers;
  };
  job.board = std::move(board);
  return job;
}

void FillLatency(const MeasurementRow& row, const MeasurementRow& uniform8, FinalRow& result) {
  result.measurement_id = row.measurement_id;
  result.measure_status = row.status;
  result.measure_detail = row.detail;
  if (!row.latency_median_ns || !uniform8.latency_median_ns) return;
  result.latency_median_ns = row.latency_median_ns;
  result.latency_low_ns = row.latency_low_ns.value_or(0.0);
  result.latency_high_ns = row.latency_high_ns.value_or(0.0);
  const MedianInterval ratio = RatioOf(row, uniform8);
  result.ratio = ratio.median;
  result.ratio_low = ratio.low;
  result.ratio_high = ratio.high;
  result.source = row.source;
  if (const auto conditions = ParseEvent<MeasurementConditions>(row.conditions); conditions.ok()) {
    result.kernels = conditions->kernels;
    result.model_energy = conditions->model_energy;
    result.model_energy_unit = conditions->model_energy_unit;
    result.model_energy_error = conditions->model_energy_error;
  }
  result.model_energy_ratio = EnergyRatiosOf(row, uniform8).model;
}

void FillEnergy(const MeasurementRow& row, const MeasurementRow& uniform8, FinalRow& result) {
  result.energy = row.energy;
  result.energy_ratio = EnergyRatiosOf(row, uniform8).measured;
  if (const auto conditions = ParseEvent<MeasurementConditions>(row.conditions); conditions.ok()) {
    result.no_energy_reason = conditions->no_energy_reason;
  }
}

// Candidates were validated by their step, uniform 8 bit by the setup, uniform 4 bit by ReadImages().
void FillValidation(const SearchProblem& problem, const Finalist& finalist, std::size_t index,
                    const SearchEnvironment& environment, const TestEvent& test, FinalRow& row) {
  if (finalist.step) {
    row.mini_batches = environment.MiniBatchesAfter(*finalist.step + 1);
    row.validation_accuracy =
        environment.transitions()[static_cast<std::size_t>(*finalist.step)].transition.accuracy;
  } else if (index == kUniform8) {
    row.mini_batches = 0;
    row.validation_accuracy = problem.uniform8.accuracy;
  } else {
    row.mini_batches =
        environment.MiniBatchesAfter(static_cast<int>(environment.transitions().size())) +
        (test.uniform4_diverged ? 0 : problem.batches_per_step);
    row.validation_accuracy = test.uniform4_validation_accuracy;
  }
}

void FillAccuracy(const PairedCounts& counts, FinalRow& result) {
  result.test_total = counts.total();
  result.test_correct = counts.correct();
  result.test_accuracy =
      static_cast<double>(result.test_correct) / static_cast<double>(result.test_total);
  const Interval wilson = WilsonInterval(result.test_correct, result.test_total);
  result.accuracy_low = wilson.low;
  result.accuracy_high = wilson.high;
  const PairedDifference paired = ComparePairs(counts);
  result.paired_difference = paired.difference;
  result.paired_low = paired.interval.low;
  result.paired_high = paired.interval.high;
}

// The ratio that the energy budget is about.
std::optional<double> BudgetedEnergy(EnergyObjective objective, const FinalRow& row) {
  if (objective == EnergyObjective::kModel) return row.model_energy_ratio;
  if (row.energy_ratio) return row.energy_ratio->value;
  return std::nullopt;
}

bool KeepsBudgets(const SearchProblem& problem, const FinalRow& row) {
  const Budgets& budgets = problem.budgets;
  const std::optional<double> energy = BudgetedEnergy(problem.energy_objective, row);
  return (!budgets.max_energy_ratio || (energy && *energy <= *budgets.max_energy_ratio)) &&
         (!budgets.max_latency_ratio || (row.ratio && *row.ratio <= *budgets.max_latency_ratio)) &&
         (!budgets.max_weight_bytes || row.weight_bytes <= *budgets.max_weight_bytes) &&
         (!budgets.min_accuracy || BudgetedAccuracy(row) >= *budgets.min_accuracy);
}

FullIsa FullIsaOf(const std::vector<Finalist>& finalists, const FinalRounds& rounds) {
  const std::vector<MeasurementRow>& rows = rounds.latency.rows;
  FullIsa full;
  full.measure_status = rounds.latency.Verdict().status;
  full.measure_detail = rounds.latency.Verdict().detail;
  full.comparisons = rounds.comparisons;
  if (const auto board = ParseEvent<BoardInfo>(rows.front().board); board.ok())
    full.isa = board->isa;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const MeasurementRow& uniform8 = rounds.latency.Uniform8Of(i);
    if (!rows[i].latency_median_ns || !uniform8.latency_median_ns) continue;
    full.rows.push_back(
        {finalists[i].label, *rows[i].latency_median_ns, RatioOf(rows[i], uniform8).median});
  }
  return full;
}

// What the energy phase adds, for people who wait.
std::string EnergyNotice(const Board* board, bool asks_for_energy) {
  if (board == nullptr || !asks_for_energy || !board->info().energy.measures()) return {};
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.0f s", board->info().energy.window_s);
  return "; then their energy, by " + board->info().energy.source + ": windows of " + seconds +
         " and more (--energy none leaves it out)";
}

// Takes what the log registers from `expected`; false if that is not there.
bool TakeRegistered(const StoredFile& registered, std::vector<StoredFile>& expected) {
  auto found = std::find(expected.begin(), expected.end(), registered);
  if (found == expected.end()) {
    // One whose hash is told here first, under its present name or its older one.
    const bool is_present =
        registered.file == StudyFileName(StudyFileKind::kNetwork, registered.sha256);
    found = std::find_if(expected.begin(), expected.end(), [&](const StoredFile& each) {
      return each.sha256.empty() && (is_present || Names(registered, each));
    });
  }
  if (found == expected.end()) return false;
  expected.erase(found);
  return true;
}

// Registers every network once. What the log registered must be a finalist's, by name and hash.
Status RegisterNetworks(const std::vector<Finalist>& finalists, FinalistNetworks& networks,
                        Journal& journal, const StudyFiles& files) {
  std::vector<StoredFile> expected;
  for (std::size_t i = 0; i < finalists.size(); ++i) {
    // The start and a member of the front may be one candidate.
    const StoredFile name = networks.NameOf(i);
    if (std::find(expected.begin(), expected.end(), name) == expected.end()) {
      expected.push_back(name);
    }
  }
  std::set<std::string> registered;  // hashes
  for (;;) {
    const Result<std::optional<ArtifactEvent>> logged = journal.TakeArtifact();
    if (!logged.ok()) return logged.status();
    if (!*logged) break;
    const StoredFile stored{(*logged)->sha256, (*logged)->file};
    if ((*logged)->kind != kNetworkKind || !TakeRegistered(stored, expected)) {
      return DataCorrupt("replay diverges at seq " + std::to_string(journal.seq()) +
                         ": the log registers the " + (*logged)->kind + " " + stored.file +
                         " with SHA-256 " + stored.sha256 + ", which is no finalist's");
    }
    registered.insert(stored.sha256);
  }
  // Networks without a hash may be equal to others, which are then registered once.
  std::erase_if(expected, [](const StoredFile& each) { return each.sha256.empty(); });
  if (journal.replaying() && !expected.empty()) {
    return DataCorrupt("replay diverges after seq " + std::to_string(journal.seq()) +
                       ": the log does not register " + expected.front().file);
  }
  if (!journal.recording()) return Status();
  const Result<const std::vector<Network>*> loaded = networks.Get();
  if (!loaded.ok()) return loaded.status();
  for (const Network& network : **loaded) {
    const Result<StoredFile> stored = files.Put(StudyFileKind::kNetwork, SerializeNetwork(network));
    if (!stored.ok()) return stored.status();
    if (!registered.insert(stored->sha256).second) continue;
    BITPILOT_RETURN_IF_ERROR(
        journal.PutArtifact({stored->sha256, std::string(kNetworkKind), stored->file}));
  }
  return Status();
}

// The test images of all, and the validation images of the one that no step validated.
Result<TestEvent> ReadImages(const std::vector<Finalist>& finalists,
                             const std::vector<Network>& networks, const ImageDataset& test,
                             const ImageDataset& validation, SearchObserver& observer) {
  TestEvent event;
  std::vector<std::uint8_t> uniform8;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const Result<Evaluation> evaluation = EvaluateInteger(networks[i], test);
    if (!evaluation.ok()) return evaluation.status();
    if (i == kUniform8) uniform8 = evaluation->predictions;
    event.rows.push_back(CountPairs(uniform8, evaluation->predictions, test.labels));
    if (!finalists[i].step && i != kUniform8) {
      const Result<Evaluation> validated = EvaluateInteger(networks[i], validation);
      if (!validated.ok()) return validated.status();
      event.uniform4_validation_accuracy = validated->accuracy;
    }
    observer.OnProgress(static_cast<int>(i) + 1, finalists[i].label);
  }
  return event;
}

// A damaged log must not break a promise further on.
Status CheckCounts(const TestEvent& test, std::size_t num_finalists) {
  bool sound = test.rows.size() == num_finalists;
  for (const PairedCounts& row : test.rows) {
    sound = sound && row.both >= 0 && row.only_this >= 0 && row.only_reference >= 0 &&
            row.neither >= 0 && row.total() > 0 && row.total() == test.rows.front().total();
  }
  if (sound) return Status();
  return DataCorrupt("expected counts of one set of test images for each of " +
                     std::to_string(num_finalists) + " finalists");
}

// A function of what was measured and counted: replays recompute it.
FinalEvent FinalTable(const SearchProblem& problem, const std::vector<Finalist>& finalists,
                      const FinalRounds& rounds, const SearchEnvironment& environment,
                      const TestEvent& test) {
  FinalEvent event;
  event.comparisons = rounds.comparisons;
  for (std::size_t i = 0; i < finalists.size(); ++i) {
    FinalRow row;
    row.label = finalists[i].label;
    row.origin = finalists[i].origin;
    row.assignment = CanonicalText(finalists[i].assignment);
    row.assignment_id = AssignmentId(finalists[i].assignment);
    row.weight_bytes = WeightBytes(problem.topology, finalists[i].assignment);
    FillValidation(problem, finalists[i], i, environment, test, row);
    FillAccuracy(test.rows[i], row);
    row.part = static_cast<int>(rounds.latency.parts[i]) + 1;
    FillLatency(rounds.latency.rows[i], rounds.latency.Uniform8Of(i), row);
    FillEnergy(rounds.energy.rows[i], rounds.energy.Uniform8Of(i), row);
    row.budget_met = KeepsBudgets(problem, row);
    event.rows.push_back(std::move(row));
  }
  JudgeSpeeds(rounds.latency, event.rows);
  return event;
}

}  // namespace

Result<FinalEvent> CompareFinalists(
    const SearchProblem& problem, const StoredFile& uniform8_file,
    const std::vector<Finalist>& finalists, const FinalOptions& options,
    SearchEnvironment& environment, const SearchResources& resources, const ImageDataset* test,
    const std::function<Result<std::unique_ptr<Board>>()>& full_isa_board, Journal& journal,
    const StudyFiles& files, SearchObserver& observer) {
  FinalistNetworks networks(finalists, uniform8_file, environment, files, observer);
  observer.OnPhase("measuring the finalists again, interleaved with uniform 8 bit" +
                       EnergyNotice(resources.board, options.energy),
                   0);
  const auto search_board = [&]() -> Result<Board*> { return resources.board; };
  FinalRoundsJob job = RoundsOf("final", finalists, networks, search_board);
  job.energy = options.energy;
  job.long_audit = options.long_audit;
  const Result<FinalRounds> rounds = MeasureFinalRounds(job, journal, observer);
  if (!rounds.ok()) return rounds.status();
  std::optional<FullIsa> full_isa;
  if (full_isa_board) {
    observer.OnPhase("measuring the finalists on the machine's full instruction set", 0);
    std::unique_ptr<Board> whole_machine;
    const auto connect = [&]() -> Result<Board*> {
      if (whole_machine) return whole_machine.get();
      Result<std::unique_ptr<Board>> board = full_isa_board();
      if (!board.ok()) return board.status();
      whole_machine = std::move(*board);
      return whole_machine.get();
    };
    const Result<FinalRounds> full_rounds = MeasureFinalRounds(
        RoundsOf(std::string(kFullIsaPrefix), finalists, networks, connect), journal, observer);
    if (!full_rounds.ok()) return full_rounds.status();
    full_isa = FullIsaOf(finalists, *full_rounds);
  }
  BITPILOT_RETURN_IF_ERROR(RegisterNetworks(finalists, networks, journal, files));

  observer.OnPhase("reading the test images", static_cast<int>(finalists.size()));
  const auto read_test = [&]() -> Result<TestEvent> {
    const Result<const std::vector<Network>*> loaded = networks.Get();
    if (!loaded.ok()) return loaded.status();
    Result<TestEvent> read =
        ReadImages(finalists, **loaded, *test, resources.data->validation, observer);
    if (read.ok()) read->uniform4_diverged = networks.uniform4_diverged();
    return read;
  };
  const auto conclude = [&](const TestEvent& read) {
    FinalEvent event = FinalTable(problem, finalists, *rounds, environment, read);
    event.hypervolume = MeasuredHypervolume(problem, environment.transitions());
    event.energy_hypervolume = MeasuredEnergyHypervolume(problem, environment.transitions());
    event.full_isa = full_isa;
    return event;
  };
  if (journal.version() >= 2) {
    const Result<TestEvent> read =
        journal.Observe<TestEvent>(read_test, [&](const TestEvent& logged) -> Result<TestEvent> {
          BITPILOT_RETURN_IF_ERROR(CheckCounts(logged, finalists.size()));
          return logged;
        });
    if (!read.ok()) return read.status();
    FinalEvent event = conclude(*read);
    BITPILOT_RETURN_IF_ERROR(journal.Decide(event));
    return event;
  }
  Result<FinalEvent> logged = journal.Observe<FinalEvent>([&]() -> Result<FinalEvent> {
    const Result<TestEvent> read = read_test();
    if (!read.ok()) return read.status();
    return conclude(*read);
  });
  if (!logged.ok()) return logged;
  // Which candidates are reported is a decision: a replay must choose the same.
  bool same = logged->rows.size() == finalists.size();
  for (std::size_t i = 0; same && i < finalists.size(); ++i) {
    same = logged->rows[i].assignment_id == AssignmentId(finalists[i].assignment);
  }
  if (!same) {
    return DataCorrupt("replay diverges at seq " + std::to_string(journal.seq()) +
                       ": the logged final candidates are not the ones recomputed from the log");
  }
  return logged;
}

}  // namespace bitpilot
