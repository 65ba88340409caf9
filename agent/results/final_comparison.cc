#include "agent/results/final_comparison.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "agent/qat/integer_evaluation.h"
#include "agent/results/accuracy_statistics.h"
#include "agent/results/final_rounds.h"
#include "agent/results/front.h"
#include "agent/results/joint_rows.h"
#include "agent/results/speed_claims.h"
#include "agent/study/chosen_rows.h"
#include "agent/study/energy_ratios.h"
#include "kernels/base/check.h"
#include "kernels/base/network_file.h"
#include "policies/observed_front.h"

namespace bitpilot {
namespace {

constexpr std::string_view kNetworkKind = "network";

// The finalists' networks, read from their files once the first live part asks for them.
class FinalistNetworks {
 public:
  FinalistNetworks(const std::vector<TrainedFinalist>& finalists, const StudyFiles& files)
      : finalists_(finalists), files_(files) {}

  Result<std::vector<const Network*>> Get() {
    for (std::size_t i = networks_.size(); i < finalists_.size(); ++i) {
      const StoredFile& stored = finalists_[i].network;
      const Result<std::string> bytes = files_.Get(stored);
      if (!bytes.ok()) return bytes.status();
      Result<Network> network = ParseNetwork(*bytes);
      if (!network.ok()) return network.status().WithContext(stored.file);
      networks_.push_back(std::move(*network));
    }
    std::vector<const Network*> pointers;
    for (const Network& network : networks_) pointers.push_back(&network);
    return pointers;
  }

 private:
  const std::vector<TrainedFinalist>& finalists_;
  const StudyFiles& files_;
  std::vector<Network> networks_;
};

// Measurements of an extended search's later comparisons have names of their own.
std::string PrefixOf(const std::string& name, int reading) {
  return reading == 1 ? name : name + "-extended-" + std::to_string(reading);
}

FinalRoundsJob RoundsOf(const std::string& prefix, const std::vector<TrainedFinalist>& finalists,
                        FinalistNetworks& networks, std::function<Result<Board*>()> board) {
  FinalRoundsJob job;
  job.prefix = prefix;
  for (const TrainedFinalist& each : finalists) {
    job.assignments.push_back(each.finalist.assignment);
  }
  job.networks = [&networks] { return networks.Get(); };
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
    result.on = conditions->on;
    result.board = conditions->board_name;
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

bool RowKeepsBudgets(const SearchProblem& problem, const FinalRow& row) {
  constexpr double kUnknown = std::numeric_limits<double>::infinity();
  const Objectives outcome{
      .error_rate = 1.0 - BudgetedAccuracy(row),
      .latency_ratio = row.ratio.value_or(kUnknown),
      .energy_ratio = BudgetedEnergy(problem.energy_objective, row).value_or(kUnknown)};
  return KeepsBudgets(problem.budgets, outcome, row.weight_bytes);
}

// Entries name the finalists by their order, which is that of the final table.
FullIsa FullIsaOf(const FinalRounds& rounds) {
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
        {static_cast<int>(i), *rows[i].latency_median_ns, RatioOf(rows[i], uniform8).median});
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

// Registers every network once. What the log registered must be a finalist's, by name and hash.
Status RegisterNetworks(const std::vector<TrainedFinalist>& finalists,
                        const std::vector<StoredFile>& registered, Journal& journal) {
  std::vector<StoredFile> expected;
  for (const TrainedFinalist& each : finalists) {
    // The start and a member of the front may be one candidate.
    if (std::find(expected.begin(), expected.end(), each.network) == expected.end()) {
      expected.push_back(each.network);
    }
  }
  for (;;) {
    const Result<std::optional<ArtifactEvent>> logged = journal.TakeArtifact();
    if (!logged.ok()) return logged.status();
    if (!*logged) break;
    const StoredFile stored{(*logged)->sha256, (*logged)->file};
    const auto found = std::find(expected.begin(), expected.end(), stored);
    if ((*logged)->kind != kNetworkKind || found == expected.end()) {
      return DataCorrupt("replay diverges at seq " + std::to_string(journal.seq()) +
                         ": the log registers the " + (*logged)->kind + " " + stored.file +
                         " with SHA-256 " + stored.sha256 + ", which is no finalist's");
    }
    expected.erase(found);
  }
  std::erase_if(expected, [&](const StoredFile& each) {
    return std::find(registered.begin(), registered.end(), each) != registered.end();
  });
  if (journal.replaying() && !expected.empty()) {
    return DataCorrupt("replay diverges after seq " + std::to_string(journal.seq()) +
                       ": the log does not register " + expected.front().file);
  }
  if (!journal.recording()) return Status();
  for (const StoredFile& each : expected) {
    BITPILOT_RETURN_IF_ERROR(
        journal.PutArtifact({each.sha256, std::string(kNetworkKind), each.file}));
  }
  return Status();
}

Result<TestEvent> ReadTestImages(const std::vector<TrainedFinalist>& finalists,
                                 const std::vector<const Network*>& networks,
                                 const ImageDataset& test, SearchObserver& observer) {
  TestEvent event;
  std::vector<std::uint8_t> uniform8;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const Result<Evaluation> evaluation = EvaluateInteger(*networks[i], test);
    if (!evaluation.ok()) return evaluation.status();
    if (i == 0) uniform8 = evaluation->predictions;
    event.rows.push_back(CountPairs(uniform8, evaluation->predictions, test.labels));
    observer.OnProgress(static_cast<int>(i) + 1, finalists[i].finalist.label());
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

// What a row says of a finalist before anything was measured.
FinalRow RowOf(const SearchProblem& problem, const Finalist& finalist) {
  FinalRow row;
  row.role = finalist.role;
  row.number = finalist.number;
  row.label = finalist.label();
  row.assignment = CanonicalText(finalist.assignment);
  row.assignment_id = AssignmentId(finalist.assignment);
  row.weight_bytes = WeightBytes(problem.topology, finalist.assignment);
  return row;
}

FinalRow RowWithoutFigures(const SearchProblem& problem, const TrainedFinalist& trained) {
  FinalRow row = RowOf(problem, trained.finalist);
  row.no_figures_reason = trained.no_network_reason;
  row.final_batches = 0;
  row.budget_met = false;
  return row;
}

// The table of one of num_classes classes. A function of what was measured and counted: replays recompute
// it.
std::vector<FinalRow> RowsOf(const SearchProblem& problem,
                             const std::vector<TrainedFinalist>& finalists,
                             const FinalRounds& rounds, const TestEvent& test, int num_classes) {
  std::vector<FinalRow> rows;
  for (std::size_t i = 0; i < finalists.size(); ++i) {
    FinalRow row = RowOf(problem, finalists[i].finalist);
    row.validation_accuracy = finalists[i].validation_accuracy;
    row.mini_batches = finalists[i].mini_batches;
    row.final_batches = finalists[i].final_batches;
    row.start = finalists[i].start;
    FillAccuracy(test.rows[i], row);
    row.part = static_cast<int>(rounds.latency.parts[i]) + 1;
    FillLatency(rounds.latency.rows[i], rounds.latency.Uniform8Of(i), row);
    FillEnergy(rounds.energy.rows[i], rounds.energy.Uniform8Of(i), row);
    row.budget_met = RowKeepsBudgets(problem, row);
    rows.push_back(std::move(row));
  }
  JudgeSpeeds(rounds.latency, num_classes, rows);
  return rows;
}

// Rows that were compared, of one class or of several.
//
// rounds: parallel to the classes.
FinalEvent FinalTable(const SearchProblem& problem, const std::vector<TrainedFinalist>& finalists,
                      const std::vector<ClassId>& classes, const std::vector<FinalRounds>& rounds,
                      const TestEvent& test) {
  FinalEvent event;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    event.comparisons = std::max(event.comparisons, rounds[i].comparisons);
    const int num_classes = static_cast<int>(classes.size());
    ClassFinal one{classes[i],
                   RowsOf(problem, finalists, rounds[i], test, num_classes),
                   {},
                   0.0,
                   rounds[i].comparisons};
    for (std::size_t row = 0; row < finalists.size(); ++row) {
      const std::vector<ClassId>& fronts = finalists[row].finalist.fronts;
      if (std::find(fronts.begin(), fronts.end(), classes[i]) == fronts.end()) continue;
      one.front.push_back(static_cast<int>(row));
    }
    std::stable_sort(one.front.begin(), one.front.end(), [&](int a, int b) {
      constexpr double kUnknown = std::numeric_limits<double>::infinity();
      return one.rows[static_cast<std::size_t>(a)].ratio.value_or(kUnknown) <
             one.rows[static_cast<std::size_t>(b)].ratio.value_or(kUnknown);
    });
    event.classes.push_back(std::move(one));
  }
  event.rows = JointRows(problem.class_objective, event.classes,
                         [&](const FinalRow& row) { return RowKeepsBudgets(problem, row); });
  if (classes.size() == 1) event.classes.clear();
  return event;
}

// Names of the comparison of a class. class_number: from 0.
std::string FinalPrefix(std::size_t class_number) {
  return class_number == 0 ? "final" : "final-class-" + std::to_string(class_number + 1);
}

// The name of the comparison on the whole machine.
std::string FullIsaPrefix(int reading) { return PrefixOf("full-isa", reading); }

bool ComparesOnFullIsa(int reading, const ComparisonParts& parts, const Journal& journal) {
  if (!parts.full_isa_board) return false;
  if (journal.replaying()) return journal.ReplaysMeasurement(FullIsaPrefix(reading) + "-0");
  return !parts.board_has_full_isa;
}

// The comparison on the whole machine.
Result<FullIsa> CompareOnFullIsa(const std::vector<TrainedFinalist>& finalists, int reading,
                                 const ComparisonParts& parts, FinalistNetworks& networks,
                                 Journal& journal, SearchObserver& observer) {
  if (journal.recording()) {
    observer.OnPhase("measuring the finalists on the machine's full instruction set", 0);
  }
  std::unique_ptr<Board> whole_machine;
  const auto connect = [&]() -> Result<Board*> {
    if (whole_machine) return whole_machine.get();
    Result<std::unique_ptr<Board>> board = parts.full_isa_board();
    if (!board.ok()) return board.status();
    whole_machine = std::move(*board);
    return whole_machine.get();
  };
  const Result<FinalRounds> rounds = MeasureFinalRounds(
      RoundsOf(FullIsaPrefix(reading), finalists, networks, connect), journal, observer);
  if (!rounds.ok()) return rounds.status();
  return FullIsaOf(*rounds);
}

}  // namespace

Result<FinalEvent> CompareFinalists(const SearchProblem& problem,
                                    const std::vector<TrainedFinalist>& trained,
                                    const std::vector<TransitionEvent>& transitions,
                                    const FinalOptions& options, const ComparisonParts& parts,
                                    Journal& journal, const StudyFiles& files,
                                    SearchObserver& observer) {
  std::vector<TrainedFinalist> finalists;  // that are compared
  for (const TrainedFinalist& each : trained) {
    if (each.has_network()) finalists.push_back(each);
  }
  BITPILOT_CHECK(!finalists.empty() && finalists.front().finalist.role == FinalistRole::kUniform8);
  FinalistNetworks networks(finalists, files);
  std::vector<FinalRounds> rounds;
  for (std::size_t i = 0; i < options.classes.size(); ++i) {
    const ClassId& on = options.classes[i];
    const auto own = parts.boards.find(on);
    Board* board = own == parts.boards.end() ? nullptr : own->second;
    if (journal.recording()) {
      observer.OnPhase("measuring the finalists again, interleaved with uniform 8 bit" +
                           (options.classes.size() == 1 ? "" : ", on class " + on) +
                           EnergyNotice(board, options.energy),
                       0);
    }
    const auto search_board = [board]() -> Result<Board*> { return board; };
    FinalRoundsJob job =
        RoundsOf(PrefixOf(FinalPrefix(i), options.reading), finalists, networks, search_board);
    job.on = on;
    job.take_between = parts.take_between;
    job.energy = options.energy;
    job.long_audit = options.long_audit;
    Result<FinalRounds> measured = MeasureFinalRounds(job, journal, observer);
    if (!measured.ok()) return measured.status();
    rounds.push_back(std::move(*measured));
  }
  std::optional<FullIsa> full_isa;
  if (ComparesOnFullIsa(options.reading, parts, journal)) {
    Result<FullIsa> compared =
        CompareOnFullIsa(finalists, options.reading, parts, networks, journal, observer);
    if (!compared.ok()) return compared.status();
    full_isa = std::move(*compared);
  }
  BITPILOT_RETURN_IF_ERROR(RegisterNetworks(finalists, options.registered, journal));

  const Result<TestEvent> read = journal.Observe<TestEvent>(
      [&]() -> Result<TestEvent> {
        observer.OnPhase("reading the test images", static_cast<int>(finalists.size()));
        const Result<std::vector<const Network*>> loaded = networks.Get();
        if (!loaded.ok()) return loaded.status();
        return ReadTestImages(finalists, *loaded, *parts.test, observer);
      },
      [&](const TestEvent& logged) -> Result<TestEvent> {
        BITPILOT_RETURN_IF_ERROR(CheckCounts(logged, finalists.size()));
        return logged;
      });
  if (!read.ok()) return read.status();
  FinalEvent event = FinalTable(problem, finalists, options.classes, rounds, *read);
  for (const TrainedFinalist& each : trained) {
    if (each.has_network()) continue;
    event.rows.push_back(RowWithoutFigures(problem, each));
    for (ClassFinal& one : event.classes) one.rows.push_back(event.rows.back());
  }
  for (ClassFinal& one : event.classes) {
    const SearchProblem there = OnClass(problem, one.on);
    one.hypervolume = MeasuredHypervolume(there, OnClass(there, transitions));
  }
  event.hypervolume = MeasuredHypervolume(problem, transitions);
  event.energy_hypervolume = MeasuredEnergyHypervolume(problem, transitions);
  event.full_isa = std::move(full_isa);
  event.test_readings = options.reading;
  event.no_uniform4 = options.no_uniform4;
  BITPILOT_RETURN_IF_ERROR(journal.Decide(event));
  return event;
}

}  // namespace bitpilot
