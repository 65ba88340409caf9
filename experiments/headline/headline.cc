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
#include "agent/session/agent_build.h"
#include "agent/session/check_before_search.h"
#include "agent/session/cpu_class.h"
#include "agent/session/live_parts.h"
#include "agent/session/moved_parts.h"
#include "agent/session/problem_setup.h"
#include "agent/study/study.h"
#include "agent/study/study_files.h"
#include "experiments/headline/ended_search.h"
#include "experiments/headline/headline_table.h"
#include "experiments/headline/seed_result.h"
#include "experiments/headline/session_times.h"
#include "kernels/base/file_io.h"
#include "kernels/base/network_file.h"
#include "kernels/base/round_comparison.h"
#include "kernels/runtime/kernel_build_id.h"

namespace bitpilot {
namespace {

constexpr char kUsage[] =
    "usage: headline machine                       agent, kernels and CPU, on one line\n"
    "       headline batches STUDY                 mini-batches that a reference gets\n"
    "       headline program STUDY                 the integer program's answer at the budget, for "
    "--bits\n"
    "       headline found STUDY                   the found network's widths, for --bits\n"
    "       headline measure STUDY SESSIONS RESULT NAME@TRAINING=FILE.bpnet...\n"
    "       headline table RESULT...\n"
    "SESSIONS: experiments/headline/session_times.h. Of the trainings of one NAME the one that "
    "validates best counts.\n";

Result<EndedSearch> ReadSearch(const std::string& path) {
  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path);
  if (!study.ok()) return study.status();
  const Result<SearchConfig> config = PlacedConfig(**study);
  if (!config.ok()) return config.status();
  const Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status();
  Result<EndedSearch> search =
      EndedSearchOf(*config, *events, "bitpilot search --study " + path + " --resume");
  if (!search.ok()) return search.status().WithContext(path);
  return search;
}

Result<const FinalRow*> FoundRowOf(const EndedSearch& search, const std::string& path) {
  const FinalRow* row = FoundRow(search);
  if (row != nullptr) return row;
  return Status(StatusCode::kNotFound, path + ": the final table has no found row with figures");
}

Status PrintMachine() {
  std::printf("%s; kernels %s; %s\n", AgentBuild().c_str(), KernelBuildId().c_str(),
              CpuClass().c_str());
  return Status();
}

Status PrintBatches(const std::string& path) {
  const Result<EndedSearch> search = ReadSearch(path);
  if (!search.ok()) return search.status();
  std::printf("%lld\n", static_cast<long long>(ReferenceBatches(*search)));
  return Status();
}

Status PrintWidths(const std::string& path, const Topology& topology,
                   const Result<BitAssignment>& assignment) {
  if (!assignment.ok()) return assignment.status().WithContext(path);
  std::printf("%s\n", AssignmentToJson(topology, *assignment).dump().c_str());
  return Status();
}

Status PrintProgram(const std::string& path) {
  const Result<EndedSearch> search = ReadSearch(path);
  if (!search.ok()) return search.status();
  if (!search->program) {
    return InvalidArgument(path + ": policy " + search->config.policy +
                           " does not ask the integer program; expected one that does, e.g. amed");
  }
  const Result<ModelDefinition> definition = FindModel(search->config.model);
  if (!definition.ok()) return definition.status();
  const Topology& topology = definition->topology;
  const Result<ProblemSetup> setup = ProblemOf(topology, search->config, *search->problem);
  if (!setup.ok()) return setup.status();
  const Choice& choice = AnswerToCompareWith(search->config.budgets, *search->program);
  return PrintWidths(path, topology, ToAssignment(setup->problem, choice));
}

Status PrintFound(const std::string& path) {
  const Result<EndedSearch> search = ReadSearch(path);
  if (!search.ok()) return search.status();
  const Result<const FinalRow*> row = FoundRowOf(*search, path);
  if (!row.ok()) return row.status();
  const Result<ModelDefinition> definition = FindModel(search->config.model);
  if (!definition.ok()) return definition.status();
  const Topology& topology = definition->topology;
  return PrintWidths(path, topology, ParseCanonicalAssignment(topology, (*row)->assignment));
}

// A row of the result and its network; of a reference first without its choice of a training.
struct NamedNetwork {
  std::string name;
  std::vector<Training> trainings;
  std::vector<Network> networks;  // parallel to `trainings`; of the found row one
  std::size_t best = 0;

  const Network& network() const { return networks[best]; }
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
  NamedNetwork found;
  found.name = kFoundName;
  found.networks.push_back(std::move(*network));
  return found;
}

// NAME@TRAINING=FILE, to the network of that name.
Status AddReference(const std::string& text, std::vector<NamedNetwork>& networks) {
  const std::size_t at = text.find('@');
  const std::size_t equals = text.find('=', at == std::string::npos ? 0 : at);
  if (at == std::string::npos || at == 0 || equals == std::string::npos) {
    return InvalidArgument("expected NAME@TRAINING=FILE.bpnet, got " + text);
  }
  Result<Network> network = ReadNetworkFile(text.substr(equals + 1));
  if (!network.ok()) return network.status();
  const std::string name = text.substr(0, at);
  auto named = std::find_if(networks.begin(), networks.end(),
                            [&](const NamedNetwork& each) { return each.name == name; });
  if (named == networks.end()) named = networks.insert(networks.end(), {name, {}, {}, 0});
  if (named->name == kFoundName) {
    return InvalidArgument("expected references; " + text + " has the found network's name");
  }
  if (!named->networks.empty() && AssignmentOf(named->networks[0]) != AssignmentOf(*network)) {
    return InvalidArgument(text + ": other widths than the first network of that name");
  }
  named->trainings.push_back({text.substr(at + 1, equals - at - 1), 0.0});
  named->networks.push_back(std::move(*network));
  return Status();
}

// Chooses by validation images, and only then reads the test images.
Result<TrainedRow> ReadRow(NamedNetwork& named, const DataSplits& data) {
  TrainedRow row;
  row.name = named.name;
  std::vector<Training> read;
  for (std::size_t i = 0; i < named.networks.size(); ++i) {
    const Result<Evaluation> validation = EvaluateInteger(named.networks[i], data.validation);
    if (!validation.ok()) return validation.status();
    read.push_back({named.trainings.empty() ? "" : named.trainings[i].name, validation->accuracy});
  }
  named.best = BestTraining(read);
  row.training = read[named.best].name;
  row.validation_accuracy = read[named.best].validation_accuracy;
  if (!named.trainings.empty()) row.trainings = std::move(read);
  const Result<Evaluation> test = EvaluateInteger(named.network(), data.test);
  if (!test.ok()) return test.status();
  Result<std::string> predictions = ClassDigits(test->predictions);
  if (!predictions.ok()) return predictions.status();
  row.predictions = std::move(*predictions);
  return row;
}

// Everything is to be of one build on one CPU.
Result<Machine> MachineOf(const EndedSearch& search, const BoardInfo& board) {
  const auto compare = [](const char* what, const std::string& was, const std::string& is) {
    if (was == is) return Status();
    return Status(StatusCode::kVersionMismatch, std::string("the search is of ") + what + " \"" +
                                                    was + "\", this is \"" + is +
                                                    "\": they are not compared; search anew");
  };
  for (const std::string& build : search.builds) {
    BITPILOT_RETURN_IF_ERROR(compare("agent", build, AgentBuild()));
  }
  const BoardInfo& searched = search.board->board;
  BITPILOT_RETURN_IF_ERROR(compare("kernels", searched.kernel_build, board.kernel_build));
  BITPILOT_RETURN_IF_ERROR(compare("board CPU", searched.cpu_model, board.cpu_model));
  BITPILOT_RETURN_IF_ERROR(compare("CPU", search.board->cpu_class, CpuClass()));
  return Machine{AgentBuild(), board.kernel_build, board.cpu_model + "; " + CpuClass()};
}

// Interleaved: ratios hold between any two.
Status MeasureAll(const std::vector<NamedNetwork>& networks, Board& board, SeedResult& result) {
  const auto notice = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
  MeasureJob job;
  for (const NamedNetwork& each : networks) job.networks.push_back(&each.network());
  job.tier = Tier::kAudit;
  job.extended = true;
  const Result<BoardComparison> comparison = CompareOnBoard(board, job, notice);
  if (!comparison.ok()) return comparison.status();
  const Measurement& measured = comparison->measurement;
  result.comparisons = comparison->comparisons();
  result.verdict =
      measured.status == MeasureStatus::kOk ? kOkVerdict : std::string(ToString(measured.status));
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

Status Measure(const std::string& path, const std::string& sessions, const std::string& output,
               const std::vector<std::string>& references) {
  const Result<EndedSearch> search = ReadSearch(path);
  if (!search.ok()) return search.status();
  const Result<const FinalRow*> row = FoundRowOf(*search, path);
  if (!row.ok()) return row.status();
  BITPILOT_RETURN_IF_ERROR(CheckBatches(*search, **row).WithContext(path));
  const Result<std::string> text = ReadFile(sessions);
  if (!text.ok()) return text.status();
  const Result<std::optional<SessionTimes>> times = ParseSessionTimes(*text);
  if (!times.ok()) return times.status().WithContext(sessions);

  Result<NamedNetwork> found = FoundNetwork(*search, **row, path);
  if (!found.ok()) return found.status();
  std::vector<NamedNetwork> networks = {std::move(*found)};
  for (const std::string& reference : references) {
    BITPILOT_RETURN_IF_ERROR(AddReference(reference, networks));
  }
  const bool has_uniform8 = std::any_of(networks.begin(), networks.end(), [](const auto& each) {
    return each.name == kUniform8Name;
  });
  if (!has_uniform8) return InvalidArgument("expected w8a8@TRAINING=FILE.bpnet, too");

  BoardOptions options;
  options.notice = [](const std::string& notice) { std::fprintf(stderr, "%s\n", notice.c_str()); };
  const Result<std::unique_ptr<Board>> board =
      OpenChosenBoard(BoardChoiceOf(search->config), options);
  if (!board.ok()) return board.status();
  const Result<Machine> machine = MachineOf(*search, (*board)->info());
  if (!machine.ok()) return machine.status();
  const Result<DataSplits> data = LoadDataSplits(search->config.data);
  if (!data.ok()) return data.status();
  const Result<std::string> labels = ClassDigits(data->test.labels);
  if (!labels.ok()) return labels.status();

  SeedResult result;
  result.seed = search->config.seed;
  result.machine = *machine;
  result.found_label = (*row)->label;
  result.found_batches = (*row)->mini_batches.value_or(0);
  result.reference_batches = ReferenceBatches(*search);
  result.found_is_program_answer = IsProgramAnswer(*search, **row);
  if (*times) {
    result.search_seconds = (*times)->wall_seconds;
    result.search_cpu_seconds = (*times)->cpu_seconds;
  }
  result.labels = *labels;
  for (NamedNetwork& each : networks) {
    Result<TrainedRow> read = ReadRow(each, *data);
    if (!read.ok()) return read.status().WithContext(each.name);
    read->has_found_widths = &each != &networks.front() &&
                             AssignmentOf(each.network()) == AssignmentOf(networks[0].network());
    result.rows.push_back(std::move(*read));
  }
  BITPILOT_RETURN_IF_ERROR(MeasureAll(networks, **board, result));
  return WriteSeedResult(output, result);
}

Status PrintTable(const std::vector<std::string>& paths) {
  std::vector<SeedResult> seeds;
  for (const std::string& path : paths) {
    Result<SeedResult> seed = ReadSeedResult(path);
    if (!seed.ok()) return seed.status();
    seeds.push_back(std::move(*seed));
  }
  const Result<std::string> text = HeadlineText(seeds);
  if (!text.ok()) return text.status();
  std::printf("%s", text->c_str());
  return Status();
}

// Nothing where the command is none of them.
std::optional<Status> RunCommand(std::string_view command,
                                 const std::vector<std::string>& arguments) {
  if (command == "machine" && arguments.empty()) return PrintMachine();
  if (command == "batches" && arguments.size() == 1) return PrintBatches(arguments[0]);
  if (command == "program" && arguments.size() == 1) return PrintProgram(arguments[0]);
  if (command == "found" && arguments.size() == 1) return PrintFound(arguments[0]);
  if (command == "measure" && arguments.size() > 3) {
    return Measure(arguments[0], arguments[1], arguments[2],
                   {arguments.begin() + 3, arguments.end()});
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
