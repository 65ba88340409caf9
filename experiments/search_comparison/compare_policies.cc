// Compares search policies on measured latencies: hypervolume for each policy and seed. No policy
// may measure more than --measurements candidates; "ilp" measures a ladder of as many answers.
//
// One setup (8-bit reference, layer table, sensitivities) serves all runs, and a candidate's
// latency and accuracy are kept by content, so that two policies that try the same candidate see
// the same numbers. As in a search, latency is the ratio to uniform 8 bit of the same rounds.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/cli/search_display.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/session/live_parts.h"
#include "agent/session/problem_setup.h"
#include "kernels/base/network_file.h"
#include "kernels/base/round_comparison.h"
#include "policies/acquisition.h"
#include "policies/pareto.h"
#include "policies/policy.h"
#include "policies/transition.h"
#include "policies/view.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// What a candidate costs; filled by the board and the integer network, once.
struct Known {
  double ratio = 0.0;  // latency to uniform 8 bit of the same rounds
  double loss = 0.0;
  int correct = 0;  // of the validation images
  int total = 0;
};

// A post-training environment that measures each candidate once over all policies and seeds.
class CachingEnvironment final : public Environment {
 public:
  CachingEnvironment(const SearchProblem& problem, const SearchResources& resources,
                     const Network& uniform8, const std::string& cache_file,
                     std::map<std::string, Known>& known)
      : problem_(problem),
        resources_(resources),
        uniform8_(uniform8),
        cache_file_(cache_file),
        known_(known),
        view_(problem) {}

  const SearchProblem& problem() const override { return problem_; }
  // Why Next() was interrupted.
  const Status& status() const { return status_; }
  // Of what was measured.
  const std::vector<Objectives>& outcomes() const { return outcomes_; }

  // Takes trials that do not train.
  Status Submit(const Action& action) override {
    BITPILOT_RETURN_IF_ERROR(view_.Check(action));
    const auto* trial = std::get_if<Trial>(&action);
    if (!std::holds_alternative<Stop>(action) && trial == nullptr) {
      return InvalidArgument("only trials are compared here");
    }
    view_.Submitted(action);
    return Status();
  }

  std::optional<Observation> Next() override {
    Observation observation = Conditions{{{kBoard, 1}}, {problem_.max_measurements, 0}};
    if (view_.conditions()) {
      const Trial& trial = std::get<Trial>(view_.in_flight().front());
      std::optional<TrialOutcome> outcome = Answer(trial);
      if (!outcome) return std::nullopt;
      outcomes_.push_back(MeasuredObjectives(problem_, ToTransition(problem_, trial, *outcome)));
      observation = std::move(*outcome);
    }
    view_.Observed(observation);
    return observation;
  }

  void Keep(const std::vector<TicketId>& places) override { view_.Keep(places); }

 private:
  static constexpr char kBoard[] = "board";

  std::optional<TrialOutcome> Answer(const Trial& trial) {
    const BitAssignment assignment = ToAssignment(problem_, trial.what.choice);
    const std::string id = AssignmentId(assignment);
    if (!known_.contains(id)) {
      const Result<Known> measured = Measure(assignment);
      if (!measured.ok()) {
        status_ = measured.status();
        return std::nullopt;
      }
      known_[id] = *measured;
      std::ofstream(cache_file_, std::ios::app) << Json{{"id", id},
                                                        {"ratio", measured->ratio},
                                                        {"loss", measured->loss},
                                                        {"correct", measured->correct},
                                                        {"total", measured->total}}
                                                       .dump()
                                                << "\n";
    }
    const Known& known = known_.at(id);
    TrialOutcome outcome;
    outcome.id = trial.id;
    outcome.score = Scored{known.loss, 0.0, known.correct, known.total};
    const Measured measured{
        .ratio = known.ratio, .ratio_low = known.ratio, .ratio_high = known.ratio};
    outcome.classes = {{kBoard, measured}};
    return outcome;
  }

  Result<Known> Measure(const BitAssignment& assignment) {
    BITPILOT_RETURN_IF_ERROR(resources_.model->SetAssignment(assignment));
    resources_.model->Calibrate(*resources_.calibration);
    const Network network = resources_.model->Export();
    MeasureJob job;
    job.networks = {&network, &uniform8_};
    job.tier = Tier::kScreen;
    const Result<Measurement> measurement = resources_.boards->BoardOf(kOnlyClass).Measure(job);
    if (!measurement.ok()) return measurement.status();
    if (!HasNumbers(measurement->status)) {
      return Status(StatusCode::kUnavailable,
                    std::string(ToString(measurement->status)) + " " + measurement->detail);
    }
    const Result<Evaluation> evaluation = EvaluateInteger(network, resources_.data->validation);
    if (!evaluation.ok()) return evaluation.status();
    const double ratio = RatioOfRounds(measurement->networks.front().window_ns,
                                       measurement->networks.back().window_ns)
                             .median;
    const int total = static_cast<int>(resources_.data->validation.labels.size());
    return Known{ratio, evaluation->loss,
                 static_cast<int>(std::lround(evaluation->accuracy * total)), total};
  }

  const SearchProblem& problem_;
  SearchResources resources_;
  const Network& uniform8_;
  const std::string& cache_file_;
  std::map<std::string, Known>& known_;
  View view_;
  std::vector<Objectives> outcomes_;
  Status status_;
};

struct Arguments {
  SearchConfig config;
  std::string work = "runs/compare";
  std::vector<std::string> policies = {"amed-blind", "random", "ilp"};
  int seeds = 10;
};

std::map<std::string, Known> LoadCache(const std::string& cache_file) {
  std::map<std::string, Known> known;
  std::ifstream file(cache_file);
  for (std::string line; std::getline(file, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("ratio")) {
      known[json["id"]] = {json["ratio"], json["loss"], json["correct"], json["total"]};
    }
  }
  return known;
}

Result<double> RunPolicy(const std::string& name, std::uint64_t seed,
                         CachingEnvironment& environment) {
  Result<std::unique_ptr<Policy>> policy = MakePolicy(name, environment.problem(), seed);
  if (!policy.ok()) return policy.status();
  View view(environment.problem());
  for (bool is_over = false; !is_over;) {
    const std::optional<Observation> observation = environment.Next();
    if (!observation) return environment.status();
    view.Observed(*observation);
    (*policy)->Observe(view, *observation);
    for (const Action& action : (*policy)->Act(view)) {
      BITPILOT_RETURN_IF_ERROR(environment.Submit(action));
      view.Submitted(action);
    }
    view.Keep((*policy)->Keeps());
    environment.Keep((*policy)->Keeps());
    is_over = view.in_flight().empty();
  }
  return Hypervolume(environment.outcomes());
}

Status Compare(Arguments& arguments) {
  SearchDisplay display(/*json=*/false);
  const auto never = [] { return false; };
  const Result<ModelDefinition> definition = FindModel(arguments.config.model);
  if (!definition.ok()) return definition.status();
  Result<std::unique_ptr<LiveParts>> parts =
      LoadLiveParts(*definition, arguments.config, {.observer = &display, .stop = never});
  if (!parts.ok()) return parts.status();

  // A study of its own keeps the setup, so that a second call goes on with the same table and
  // references.
  const std::string study_path = arguments.work + ".db";
  Result<std::unique_ptr<Study>> study = Study::OpenForResume(study_path);
  if (study.status().code() == StatusCode::kNotFound)
    study = Study::Create(study_path, ToJson(arguments.config).dump());
  if (!study.ok()) return study.status();
  Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kRecord);
  if (!journal.ok()) return journal.status();
  const Result<std::string> id = (*study)->Id();
  if (!id.ok()) return id.status();
  const StudyFiles files(study_path, *id);
  BITPILOT_RETURN_IF_ERROR(files.CheckOwner());
  const SearchResources resources = (*parts)->resources(arguments.config);
  const Result<ProblemSetup> setup = SetUpProblem(definition->topology, arguments.config, resources,
                                                  *journal, files, display, never);
  if (!setup.ok()) return setup.status();

  const Result<std::string> uniform8_bytes = files.Get(setup->uniform8);
  if (!uniform8_bytes.ok()) return uniform8_bytes.status();
  const Result<Network> uniform8 = ParseNetwork(*uniform8_bytes);
  if (!uniform8.ok()) return uniform8.status();

  const std::string cache_file = arguments.work + ".jsonl";
  std::map<std::string, Known> known = LoadCache(cache_file);
  std::printf("\n%s on %s, %d measurements, hypervolume (validation) by seed\n\n%-8s",
              arguments.config.model.c_str(), arguments.config.device.c_str(),
              arguments.config.measurements, "seed");
  for (const std::string& policy : arguments.policies) std::printf(" %10s", policy.c_str());
  std::printf("\n");
  for (int seed = 1; seed <= arguments.seeds; ++seed) {
    std::printf("%-8d", seed);
    for (const std::string& policy : arguments.policies) {
      CachingEnvironment environment(setup->problem, resources, *uniform8, cache_file, known);
      const Result<double> hypervolume =
          RunPolicy(policy, static_cast<std::uint64_t>(seed), environment);
      if (!hypervolume.ok()) return hypervolume.status();
      std::printf(" %10.5f", *hypervolume);
      std::fflush(stdout);
    }
    std::printf("\n");
  }
  std::printf("\n%zu distinct candidates measured\n", known.size());
  return (*study)->Close();
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  CLI::App app("Compares search policies on measured latencies");
  bitpilot::Arguments arguments;
  arguments.config.device = "local:avx2";
  app.add_option("--model", arguments.config.model, "Network")->capture_default_str();
  app.add_option("--weights", arguments.config.weights, "Float weights; resnet8's are shipped");
  app.add_option("--data", arguments.config.data, "\"sample\" or a folder")->capture_default_str();
  app.add_option("--device", arguments.config.device, "Board, as bitpilot search takes it")
      ->capture_default_str();
  app.add_option("--measurements", arguments.config.measurements, "Budget of each run")
      ->capture_default_str();
  app.add_option("--policies", arguments.policies, "Policies")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--seeds", arguments.seeds, "Seeds 1..N")->capture_default_str();
  app.add_option("--work", arguments.work, "Setup and cache are kept in WORK.db and WORK.jsonl")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const bitpilot::Status status = bitpilot::Compare(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "compare_policies: %s\n", status.message().c_str());
  return 1;
}
