// A search's found network beside references that had all of its mini-batches to themselves. See
// README.md beside this file.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/device/board_choice.h"
#include "agent/model/bit_spec.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/results/board_comparison.h"
#include "agent/results/finalists.h"
#include "agent/session/check_before_search.h"
#include "agent/session/live_parts.h"
#include "agent/session/moved_parts.h"
#include "agent/session/problem_setup.h"
#include "agent/study/events.h"
#include "agent/study/study.h"
#include "agent/study/study_files.h"
#include "experiments/headline/seed_result.h"
#include "kernels/base/network_file.h"
#include "kernels/base/round_comparison.h"

namespace bitpilot {
namespace {

constexpr char kUsage[] =
    "usage: headline batches STUDY                 mini-batches that each reference gets\n"
    "       headline program STUDY                 the integer program's answer at the budget, for "
    "--bits\n"
    "       headline measure STUDY RESULT NAME=FILE.bpnet...\n"
    "       headline table RESULT...\n";

// What a search that has ended left.
struct EndedSearch {
  SearchConfig config;
  ModelDefinition definition;
  std::optional<ProblemEvent> problem;
  std::optional<IntegerProgramAnswers> program;
  std::vector<TrainedEvent> trained;
  std::optional<FinalEvent> final;
  std::int64_t search_batches = 0;
};

template <typename T, typename Take>
Status TakeIf(const Event& event, Take take) {
  if (event.kind != T::kKind) return Status();
  Result<T> parsed = ParseEvent<T>(event.payload);
  if (!parsed.ok()) return parsed.status();
  take(std::move(*parsed));
  return Status();
}

Result<EndedSearch> ReadSearch(const std::string& path) {
  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path);
  if (!study.ok()) return study.status();
  const Result<SearchConfig> config = PlacedConfig(**study);
  if (!config.ok()) return config.status();
  const Result<ModelDefinition> definition = FindModel(config->model);
  if (!definition.ok()) return definition.status();
  const Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status();
  EndedSearch search;
  search.config = *config;
  search.definition = *definition;
  for (const Event& event : *events) {
    BITPILOT_RETURN_IF_ERROR(TakeIf<ProblemEvent>(
        event, [&](ProblemEvent problem) { search.problem = std::move(problem); }));
    BITPILOT_RETURN_IF_ERROR(TakeIf<AnswersEvent>(
        event, [&](AnswersEvent answers) { search.program = std::move(answers.program); }));
    BITPILOT_RETURN_IF_ERROR(TakeIf<ProposalEvent>(event, [&](const ProposalEvent& proposal) {
      search.search_batches += proposal.pace.batches;
    }));
    BITPILOT_RETURN_IF_ERROR(TakeIf<AdvanceEvent>(event, [&](const AdvanceEvent& advance) {
      search.search_batches += advance.pace.batches;
    }));
    BITPILOT_RETURN_IF_ERROR(TakeIf<TrainedEvent>(
        event, [&](TrainedEvent trained) { search.trained.push_back(std::move(trained)); }));
    BITPILOT_RETURN_IF_ERROR(
        TakeIf<FinalEvent>(event, [&](FinalEvent final) { search.final = std::move(final); }));
  }
  if (search.final && search.problem) return search;
  return Status(StatusCode::kNotFound, path +
                                           ": the search has not ended; go on with bitpilot "
                                           "search --study " +
                                           path + " --resume");
}

// Chosen by validation: of the rows within the latency budget the most accurate, of equals the faster.
// Where the last measurement left none within it, the fastest. Null if nothing was found.
const FinalRow* FoundRow(const EndedSearch& search) {
  const double budget = search.config.budgets.max_latency_ratio.value_or(kMostLatencyRatio);
  const FinalRow* best = nullptr;
  const auto is_better = [&](const FinalRow& a, const FinalRow& b) {
    const bool a_keeps = *a.ratio <= budget;
    if (a_keeps != (*b.ratio <= budget)) return a_keeps;
    if (!a_keeps || *a.validation_accuracy == *b.validation_accuracy) return *a.ratio < *b.ratio;
    return *a.validation_accuracy > *b.validation_accuracy;
  };
  for (const FinalRow& row : search.final->rows) {
    if (row.role != FinalistRole::kFront || !row.ratio || !row.validation_accuracy) continue;
    if (best == nullptr || is_better(row, *best)) best = &row;
  }
  return best;
}

Result<const FinalRow*> FoundRowOf(const EndedSearch& search, const std::string& path) {
  const FinalRow* row = FoundRow(search);
  if (row != nullptr) return row;
  return Status(StatusCode::kNotFound, path + ": the final table has no found row with figures");
}

// All that the search trained, and the final training of one network: what the found row's weights had,
// or more.
std::int64_t ReferenceBatches(const EndedSearch& search) {
  return search.search_batches + search.config.final_batches.value_or(0);
}

Status PrintBatches(const std::string& path) {
  const Result<EndedSearch> search = ReadSearch(path);
  if (!search.ok()) return search.status();
  std::printf("%lld\n", static_cast<long long>(ReferenceBatches(*search)));
  return Status();
}

Status PrintProgram(const std::string& path) {
  const Result<EndedSearch> search = ReadSearch(path);
  if (!search.ok()) return search.status();
  if (!search->program) {
    return InvalidArgument(path + ": policy " + search->config.policy +
                           " does not ask the integer program; expected one that does, e.g. amed");
  }
  const Topology& topology = search->definition.topology;
  const Result<ProblemSetup> setup = ProblemOf(topology, search->config, *search->problem);
  if (!setup.ok()) return setup.status();
  const Choice& choice = AnswerToCompareWith(search->config.budgets, *search->program);
  std::printf("%s\n",
              AssignmentToJson(topology, ToAssignment(setup->problem, choice)).dump().c_str());
  return Status();
}

struct NamedNetwork {
  std::string name;
  Network network;
};

Result<NamedNetwork> FoundNetwork(const EndedSearch& search, const FinalRow& row,
                                  const std::string& path) {
  std::string sha256;
  for (const TrainedEvent& trained : search.trained) {
    if (trained.assignment_id == row.assignment_id) sha256 = trained.network_sha256;
  }
  if (sha256.empty()) {
    return InvalidArgument(path + ": " + row.label +
                           " had no final training; search with --final-batches above 0");
  }
  const Result<std::string> bytes = StudyFiles(path).Get(NetworkFile(sha256, ""));
  if (!bytes.ok()) return bytes.status();
  Result<Network> network = ParseNetwork(*bytes);
  if (!network.ok()) return network.status();
  return NamedNetwork{kFoundName, std::move(*network)};
}

// NAME=FILE
Result<NamedNetwork> ReadNamed(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return InvalidArgument("expected NAME=FILE.bpnet, got " + text);
  }
  Result<Network> network = ReadNetworkFile(text.substr(equals + 1));
  if (!network.ok()) return network.status();
  return NamedNetwork{text.substr(0, equals), std::move(*network)};
}

// Interleaved: ratios hold between any two.
Status MeasureAll(const std::vector<NamedNetwork>& networks, const SearchConfig& config,
                  SeedResult& result) {
  const auto notice = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
  BoardOptions options;
  options.notice = notice;
  const Result<std::unique_ptr<Board>> board = OpenChosenBoard(BoardChoiceOf(config), options);
  if (!board.ok()) return board.status();
  MeasureJob job;
  for (const NamedNetwork& each : networks) job.networks.push_back(&each.network);
  job.tier = Tier::kAudit;
  job.extended = true;
  const Result<BoardComparison> comparison = CompareOnBoard(**board, job, notice);
  if (!comparison.ok()) return comparison.status();
  const Measurement& measured = comparison->measurement;
  result.comparisons = comparison->comparisons();
  result.verdict = std::string(ToString(measured.status));
  if (!measured.detail.empty()) result.verdict += ": " + measured.detail;
  const auto times = [&](std::size_t i) {
    return TimesToCompare(measured.networks[i].window_ns, measured.networks[i].window_cpu_ns);
  };
  std::size_t uniform8 = 0;
  while (networks[uniform8].name != kUniform8Name) ++uniform8;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const MedianInterval ratio = RatioOfRounds(times(i), times(uniform8));
    result.rows[i].latency_ratio = ratio.median;
    result.rows[i].latency_low = ratio.low;
    result.rows[i].latency_high = ratio.high;
    result.rows[i].found_ratio = RatioOfRounds(times(0), times(i)).median;
  }
  return Status();
}

Status Measure(const std::string& path, const std::string& output,
               const std::vector<std::string>& references) {
  const Result<EndedSearch> search = ReadSearch(path);
  if (!search.ok()) return search.status();
  const Result<const FinalRow*> row = FoundRowOf(*search, path);
  if (!row.ok()) return row.status();
  Result<NamedNetwork> found = FoundNetwork(*search, **row, path);
  if (!found.ok()) return found.status();
  std::vector<NamedNetwork> networks = {std::move(*found)};
  bool has_uniform8 = false;
  for (const std::string& reference : references) {
    Result<NamedNetwork> read = ReadNamed(reference);
    if (!read.ok()) return read.status();
    has_uniform8 |= read->name == kUniform8Name;
    networks.push_back(std::move(*read));
  }
  if (!has_uniform8) return InvalidArgument("expected w8a8=FILE.bpnet among the references");

  const Result<DataSplits> data = LoadDataSplits(search->config.data);
  if (!data.ok()) return data.status();
  SeedResult result{search->config.seed,
                    (*row)->label,
                    (*row)->mini_batches.value_or(0),
                    ReferenceBatches(*search),
                    1,
                    "",
                    {}};
  for (const NamedNetwork& each : networks) {
    const Result<Evaluation> validation = EvaluateInteger(each.network, data->validation);
    if (!validation.ok()) return validation.status();
    const Result<Evaluation> test = EvaluateInteger(each.network, data->test);
    if (!test.ok()) return test.status();
    TrainedRow trained;
    trained.name = each.name;
    trained.validation_accuracy = validation->accuracy;
    trained.test_accuracy = test->accuracy;
    result.rows.push_back(std::move(trained));
  }
  BITPILOT_RETURN_IF_ERROR(MeasureAll(networks, search->config, result));
  return WriteSeedResult(output, result);
}

Status PrintTable(const std::vector<std::string>& paths) {
  std::vector<SeedResult> seeds;
  for (const std::string& path : paths) {
    Result<SeedResult> seed = ReadSeedResult(path);
    if (!seed.ok()) return seed.status();
    seeds.push_back(std::move(*seed));
  }
  return PrintHeadline(seeds);
}

// Nothing where the command is none of them.
std::optional<Status> RunCommand(std::string_view command,
                                 const std::vector<std::string>& arguments) {
  if (command == "batches" && arguments.size() == 1) return PrintBatches(arguments[0]);
  if (command == "program" && arguments.size() == 1) return PrintProgram(arguments[0]);
  if (command == "measure" && arguments.size() > 2) {
    return Measure(arguments[0], arguments[1], {arguments.begin() + 2, arguments.end()});
  }
  if (command == "table" && !arguments.empty()) return PrintTable(arguments);
  return std::nullopt;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 2), argv + argc);
  const std::optional<bitpilot::Status> status =
      bitpilot::RunCommand(argc > 1 ? argv[1] : "", arguments);
  if (!status) {
    std::fprintf(stderr, "%s", bitpilot::kUsage);
    return 2;
  }
  if (status->ok()) return 0;
  std::fprintf(stderr, "headline: %s\n", status->message().c_str());
  return 1;
}
