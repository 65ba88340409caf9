// Compares search policies on measured latencies: hypervolume for each policy and seed. No policy
// may measure more than --measurements candidates; "ilp" stops after its 8 answers, with which
// "amed" starts.
//
// One setup (8-bit reference, layer table, sensitivities) serves all runs, and a candidate's
// latency and accuracy are kept by content, so that two policies that try the same candidate see
// the same numbers. As in a search, latency is the ratio to uniform 8 bit of the same rounds times
// the setup's 8-bit reference.
#include <CLI/CLI.hpp>
#include <algorithm>
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
#include "agent/results/front.h"
#include "agent/session/live_parts.h"
#include "agent/session/problem_setup.h"
#include "kernels/base/network_file.h"
#include "kernels/base/round_comparison.h"
#include "policies/policy.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// What a candidate costs; filled by the board and the integer network, once.
struct Known {
  double latency_ns = 0.0;
  double loss = 0.0;
  double accuracy = 0.0;
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
        known_(known) {}

  const SearchProblem& problem() const override { return problem_; }
  int measurements_left() const override {
    return problem_.max_measurements - static_cast<int>(transitions_.size());
  }
  const std::vector<TransitionEvent>& transitions() const { return transitions_; }
  const Status& status() const { return status_; }

  std::optional<Transition> Step(const Proposal& proposal) override {
    const BitAssignment assignment = ToAssignment(problem_, proposal.choice);
    const std::string id = AssignmentId(assignment);
    if (!known_.contains(id)) {
      const Result<Known> measured = Measure(assignment);
      if (!measured.ok()) {
        status_ = measured.status();
        return std::nullopt;
      }
      known_[id] = *measured;
      std::ofstream(cache_file_, std::ios::app) << Json{{"id", id},
                                                        {"latency_ns", measured->latency_ns},
                                                        {"loss", measured->loss},
                                                        {"accuracy", measured->accuracy}}
                                                       .dump()
                                                << "\n";
    }
    const Known& known = known_.at(id);
    TransitionEvent event;
    event.step = static_cast<int>(transitions_.size());
    event.transition.choice = proposal.choice;
    event.transition.status = TransitionStatus::kMeasured;
    event.transition.latency_ns = known.latency_ns;
    event.transition.latency_low_ns = event.transition.latency_high_ns = known.latency_ns;
    event.transition.loss = known.loss;
    event.transition.accuracy = known.accuracy;
    event.transition.weight_bytes = WeightBytes(problem_.topology, assignment);
    transitions_.push_back(event);
    return event.transition;
  }

 private:
  Result<Known> Measure(const BitAssignment& assignment) {
    BITPILOT_RETURN_IF_ERROR(resources_.model->SetAssignment(assignment));
    resources_.model->Calibrate(*resources_.calibration);
    const Network network = resources_.model->Export();
    MeasureJob job;
    job.networks = {&network, &uniform8_};
    job.tier = Tier::kScreen;
    const Result<Measurement> measurement = resources_.board->Measure(job);
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
    return Known{ratio * problem_.uniform8.latency_ns, evaluation->loss, evaluation->accuracy};
  }

  const SearchProblem& problem_;
  SearchResources resources_;
  const Network& uniform8_;
  const std::string& cache_file_;
  std::map<std::string, Known>& known_;
  std::vector<TransitionEvent> transitions_;
  Status status_;
};

struct Arguments {
  SearchConfig config;
  std::string work = "runs/compare";
  std::vector<std::string> policies = {"amed", "random", "ilp"};
  int seeds = 10;
};

std::map<std::string, Known> LoadCache(const std::string& cache_file) {
  std::map<std::string, Known> known;
  std::ifstream file(cache_file);
  for (std::string line; std::getline(file, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object()) known[json["id"]] = {json["latency_ns"], json["loss"], json["accuracy"]};
  }
  return known;
}

Result<double> RunPolicy(const std::string& name, std::uint64_t seed,
                         CachingEnvironment& environment) {
  Result<std::unique_ptr<Policy>> policy = MakePolicy(name, environment.problem(), seed);
  if (!policy.ok()) return policy.status();
  while (environment.measurements_left() > 0) {
    const std::vector<Proposal> batch = (*policy)->Propose(
        {static_cast<int>(environment.transitions().size()), environment.measurements_left()});
    if (batch.empty()) break;
    for (const Proposal& proposal : batch) {
      const std::optional<Transition> transition = environment.Step(proposal);
      if (!transition) return environment.status();
      (*policy)->Observe(*transition);
    }
  }
  return MeasuredHypervolume(environment.problem(), environment.transitions());
}

Status Compare(Arguments& arguments) {
  SearchDisplay display(/*json=*/false);
  const auto never = [] { return false; };
  const Result<ModelDefinition> definition = FindModel(arguments.config.model);
  if (!definition.ok()) return definition.status();
  Result<std::unique_ptr<LiveParts>> parts =
      LoadLiveParts(*definition, arguments.config, display, never);
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
  const SearchResources resources = (*parts)->resources();
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
  app.add_option("--measurements", arguments.config.measurements,
                 "Budget of each run, which ilp does not use up")
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
