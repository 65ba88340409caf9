// Energy through the whole product: as an objective on a model board, and refused where nobody
// measures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/study/sqlite/sqlite_database.h"
#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

class SearchEnergyTest : public testing::Test {
 protected:
  SearchEnergyTest() { UseSmallSample(); }

  std::vector<std::string> Search(const std::string& device,
                                  const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {ProgramPath("bitpilot"),
                                          "search",
                                          "--model",
                                          "resnet8",
                                          "--device",
                                          device,
                                          "--widths",
                                          "2,4,8",
                                          "--fast",
                                          "--study",
                                          study_,
                                          "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  StudyFolder folder_;
  std::string study_ = folder_.Path("a.db");
  std::string mpic_ = "model:" BITPILOT_SOURCE_DIR "/experiments/boards/mpic_resnet8.cost";
};

TEST_F(SearchEnergyTest, AModelsEnergyIsAnObjectiveUnderItsOwnNameAndNothingIsMeasured) {
  const ProgramResult search =
      RunProgram(Search(mpic_, {"--measurements", "10", "--max-energy", "0.85x"}));
  ASSERT_EQ(search.exit_code, 0) << search.err;
  const Json result = Json::parse(LinesOfType(search.out, "result").front());
  EXPECT_GT(result["hypervolume_energy"].get<double>(), 0.0);
  // MPIC's energy is its time at a fixed power.
  const Json& reference = result["reference"]["w8a8"];
  EXPECT_NEAR(reference["model_energy"]["value"].get<double>(), 128.2, 0.05);
  EXPECT_EQ(reference["model_energy"]["unit"], "uJ-model");
  ASSERT_GE(result["front"].size(), 1U);
  for (const Json& candidate : result["front"]) {
    EXPECT_LE(candidate["model_energy"]["ratio_int8"].get<double>(), 0.85);
    EXPECT_NEAR(candidate["model_energy"]["ratio_int8"].get<double>(),
                candidate["latency_ratio_int8"].get<double>(), 1e-9);
    for (const char* measured : {"energy_uj", "energy_uncertainty_uj", "energy_net_uj",
                                 "energy_net_uncertainty_uj", "energy_ratio_int8"}) {
      EXPECT_TRUE(candidate[measured].is_null()) << measured;
    }
    EXPECT_EQ(candidate["energy_tier"], "NONE");
    EXPECT_EQ(candidate["energy_source"], "NONE");
  }
  const auto raw = ValueOrDie(SqliteDatabase::Open(study_, SqliteMode::kReadOnly));
  EXPECT_EQ(
      ValueOrDie(raw->QueryInt("SELECT count(*) FROM measurement WHERE energy_tier <> 'NONE' "
                               "OR energy_gross_uj IS NOT NULL OR energy_net_uj IS NOT NULL")),
      0);
  const ProgramResult replay = RunProgram({ProgramPath("bitpilot"), "replay", study_, "--verify"});
  EXPECT_EQ(replay.exit_code, 0) << replay.err;
  const ProgramResult report =
      RunProgram({ProgramPath("bitpilot"), "report", study_, "-o", folder_.Path("a.html")});
  EXPECT_EQ(report.exit_code, 0) << report.err;
}

TEST_F(SearchEnergyTest, RefusesAnEnergyBudgetThatNothingKeepsByTheTable) {
  const ProgramResult refused =
      RunProgram(Search(mpic_, {"--measurements", "2", "--max-energy", "0.1x"}));
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("--max-energy 0.1x"));
}

TEST_F(SearchEnergyTest, RefusesABudgetOfWhatNobodyMeasures) {
  const std::string device = "model:" + folder_.Path("no-energy.cost");
  std::string table = ReadBytes(mpic_.substr(6));
  for (std::size_t at; (at = table.find(" energy ")) != std::string::npos;) {
    table.erase(at, table.find('\n', at) - at);
  }
  table.erase(table.find("energy_unit"), table.find("op ") - table.find("energy_unit"));
  WriteBytes(folder_.Path("no-energy.cost"), table);
  const ProgramResult refused =
      RunProgram(Search(device, {"--measurements", "2", "--max-energy", "0.8x"}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("need energies, and its table has none"));
}

}  // namespace
}  // namespace bitpilot
