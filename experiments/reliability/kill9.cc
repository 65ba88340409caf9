// kill -9 of agent, daemon and worker: README.md says what for and how to call it.
#include <unistd.h>

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "experiments/reliability/kill_campaign.h"

int main(int argc, char** argv) {
  using namespace bitpilot;
  CLI::App app("Kills agent, daemon and worker over and over and looks for what was lost");
  app.require_subcommand(1);
  KillOptions options;
  options.agent = argv[0];
  options.cost_table = "tests/loopback/toy.cost";
  CLI::App* run = app.add_subcommand("run", "A campaign; called again it goes on");
  run->add_option("--folder", options.folder, "Of all that it writes")->required();
  run->add_option("--bitpilotd", options.bitpilotd, "The program")
      ->required()
      ->check(CLI::ExistingFile);
  run->add_option("--table", options.cost_table, "The board's numbers")
      ->check(CLI::ExistingFile)
      ->capture_default_str();
  run->add_option("--rounds", options.rounds, "Kills, of all calls together")
      ->capture_default_str();
  run->add_option("--seed", options.seed, "Of who is killed when")->capture_default_str();
  std::string agents_folder;
  CLI::App* agent = app.add_subcommand("agent", "The agent of a campaign");
  agent->add_option("folder", agents_folder)->required();
  CLI11_PARSE(app, argc, argv);

  if (agent->parsed()) {
    const Status status = RunCampaignAgent(agents_folder);
    std::fprintf(stderr, "agent: %s\n", status.message().c_str());
    return 1;
  }
  const Result<KillReport> report = RunKillCampaign(
      options, [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); });
  if (!report.ok()) {
    std::fprintf(stderr, "kill9: %s\n", report.status().message().c_str());
    return 1;
  }
  const nlohmann::ordered_json line{{"agents_killed", report->agents},
                                    {"daemons_killed", report->daemons},
                                    {"workers_killed", report->workers},
                                    {"before_record", report->before_record},
                                    {"before_acknowledgement", report->before_acknowledgement},
                                    {"executed", report->executed},
                                    {"repeated", report->repeated},
                                    {"acknowledged", report->acknowledged},
                                    {"recorded", report->recorded},
                                    {"violations", report->violations}};
  std::printf("%s\n", line.dump().c_str());
  return report->violations.empty() ? 0 : 1;
}
