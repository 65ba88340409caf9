#include "kernels/base/cost_table.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/base/standard_networks.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kExample = R"(# A board of the literature.
bitpilot-cost-table 1
name mpic                                   # who answers
source "Risso et al., IGSC 2022, \"D.4\" #3"

energy_unit uJ-model
overhead latency_ns 1200
op conv1 w 8 a 8 latency_ns 15000 energy 1.9
op conv1 w 4 a 8 latency_ns 0.5e4
op pool latency_ns 300
)";

TEST(ParseCostTableTest, ReadsEveryField) {
  const Result<CostTable> table = ParseCostTable(kExample);
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(table->name, "mpic");
  EXPECT_EQ(table->source, "Risso et al., IGSC 2022, \"D.4\" #3");
  EXPECT_EQ(table->energy_unit, "uJ-model");
  EXPECT_EQ(table->overhead_latency_ns, 1200.0);
  ASSERT_EQ(table->operations.size(), 3U);
  const Cost& conv = table->operations.at({"conv1", 8, 8});
  EXPECT_EQ(conv.latency_ns, 15000.0);
  EXPECT_EQ(conv.energy, 1.9);
  EXPECT_EQ(table->operations.at({"conv1", 4, 8}).latency_ns, 5000.0);
  EXPECT_FALSE(table->operations.at({"conv1", 4, 8}).energy.has_value());
  EXPECT_EQ(table->operations.at({"pool", 0, 0}).latency_ns, 300.0);
}

TEST(ParseCostTableTest, AcceptsWindowsLineEnds) {
  const Result<CostTable> table =
      ParseCostTable("bitpilot-cost-table 1\r\nname a\r\nsource b\r\nop x latency_ns 1\r\n");
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(table->source, "b");
  EXPECT_EQ(table->operations.size(), 1U);
}

TEST(ParseCostTableTest, RefusesATableThatWasCutOffAnywhere) {
  const std::string text = FormatCostTable(*ParseCostTable(kExample));
  ASSERT_TRUE(ParseCostTable(text).ok());
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(ParseCostTable(text.substr(0, size)).ok()) << text.substr(0, size);
}

TEST(ParseCostTableTest, RefusesACutInsideALineOfATableThatAnnouncesNoOperations) {
  const std::string text(kExample);
  for (std::size_t size = 1; size < text.size(); ++size) {
    if (text[size - 1] == '\n') continue;
    EXPECT_FALSE(ParseCostTable(text.substr(0, size)).ok()) << text.substr(0, size);
  }
}

TEST(ReadCostTableFileTest, ReadsEveryTableOfThisRepository) {
  int num_tables = 0;
  for (const char* folder : {"/experiments/boards", "/tests/loopback"}) {
    for (const auto& file :
         std::filesystem::directory_iterator(std::string(BITPILOT_SOURCE_DIR) + folder)) {
      if (file.path().extension() != ".cost") continue;
      const Result<CostTable> table = ReadCostTableFile(file.path());
      ASSERT_TRUE(table.ok()) << table.status().message();
      EXPECT_FALSE(table->operations.empty()) << file.path();
      ++num_tables;
    }
  }
  EXPECT_GE(num_tables, 17);
}

TEST(ReadCostTableFileTest, NamesTheFileAndTheLineThatWasCut) {
  const std::string path = ::testing::TempDir() + "cut.cost";
  std::ofstream(path) << "bitpilot-cost-table 1\nname a\nsource b\nop x latency_ns 12";
  const Status status = ReadCostTableFile(path).status();
  EXPECT_EQ(status.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(status.message(),
              HasSubstr(path + ": line 4: the last line does not end with a newline"));
  std::filesystem::remove(path);
}

TEST(FormatCostTableTest, ReadsBackTheSame) {
  CostTable table = *ParseCostTable(kExample);
  table.name = "a name # with \\ everything";
  table.source = "two\nlines";
  table.operations[{"conv1", 1, 2}] = {1.0 / 3.0, 1e-300};
  const std::string text = FormatCostTable(table);
  const Result<CostTable> read = ParseCostTable(text);
  ASSERT_TRUE(read.ok()) << read.status().message() << "\n" << text;
  EXPECT_EQ(read->name, table.name);
  EXPECT_EQ(read->source, table.source);
  EXPECT_EQ(read->operations.at({"conv1", 1, 2}).latency_ns, 1.0 / 3.0);
  EXPECT_EQ(read->operations.at({"conv1", 1, 2}).energy, 1e-300);
  EXPECT_EQ(FormatCostTable(*read), text);
}

TEST(ParseCostTableTest, TellsAFittedModelFromATableOfCosts) {
  const std::string start = "bitpilot-cost-table 1\nname a\nsource b\n";
  EXPECT_EQ(EnergyTierOf(*ParseCostTable(start)), EnergyTier::kNone);
  EXPECT_EQ(EnergyTierOf(*ParseCostTable(start + "energy_unit uJ-model\n")),
            EnergyTier::kModelTable);
  const std::string fitted = start +
                             "energy_unit uJ-model-fitted\n"
                             "energy_fit_error 0.034\n"
                             "overhead latency_ns 10 energy 0.5\n";
  const Result<CostTable> table = ParseCostTable(fitted);
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(EnergyTierOf(*table), EnergyTier::kModelFitted);
  EXPECT_EQ(table->energy_fit_error, 0.034);
  EXPECT_EQ(table->overhead_energy, 0.5);
  EXPECT_NE(FormatCostTable(*table).find("overhead latency_ns 10 energy 0.5"), std::string::npos);
  EXPECT_EQ(FormatCostTable(*ParseCostTable(FormatCostTable(*table))), FormatCostTable(*table));
}

struct BadTable {
  std::string text;
  const char* error;
  StatusCode code = StatusCode::kInvalidArgument;
};

TEST(ParseCostTableTest, NamesTheLineAndWhatIsWrong) {
  const std::string start = "bitpilot-cost-table 1\nname a\nsource b\n";
  const char* op_usage =
      "line 4: expected 'op NAME [w BITS a BITS] latency_ns NUMBER [energy NUMBER]'";
  const BadTable kCases[] = {
      {"", "must start with 'bitpilot-cost-table 1', it is empty", StatusCode::kDataCorrupt},
      {"# only a comment\n", "it is empty", StatusCode::kDataCorrupt},
      {"\nname a\n", "line 2: a cost table must start with", StatusCode::kDataCorrupt},
      {"bitpilot-cost-table\n", "line 1: a cost table must start with", StatusCode::kDataCorrupt},
      {"bitpilot-cost-table 2\n",
       "line 1: the cost table has version '2', this program reads version 1",
       StatusCode::kVersionMismatch},
      {"bitpilot-cost-table 1\nname a\n", "the line 'source ...' is missing"},
      {"bitpilot-cost-table 1\nsource a\n", "the line 'name ...' is missing"},
      {start + "name c\n", "line 4: 'name' comes a second time"},
      {start + "nmae c\n",
       "line 4: expected operations, name, source, energy_unit, energy_fit_error, overhead or op, "
       "got "
       "'nmae'"},
      {start + "operations\n", "line 4: expected 'operations NUMBER'"},
      {start + "operations -1\n", "line 4: expected 'operations NUMBER'"},
      {start + "operations 1x\n", "line 4: expected 'operations NUMBER'"},
      {start + "operations 1\noperations 1\n", "line 5: 'operations' comes a second time"},
      {start + "operations 2\nop x latency_ns 3\n",
       "announces 2 lines that begin with 'op', there are 1", StatusCode::kDataCorrupt},
      {start + "operations 0\nop x latency_ns 3\n",
       "announces 0 lines that begin with 'op', there are 1", StatusCode::kDataCorrupt},
      {start + "energy_unit\n", "line 4: 'energy_unit' takes one word"},
      {start + "energy_unit \"\"\n", "line 4: 'energy_unit' takes one word"},
      {start + "energy_unit u J\n", "line 4: 'energy_unit' takes one word"},
      {start + "energy_unit uJ\n",
       "line 4: a table's energies are a model's, and their unit must say so, e.g. 'uJ-model'; "
       "got 'uJ'"},
      {start + "energy_fit_error 0.1\n", "the line 'energy_unit ...' is missing"},
      {start + "energy_fit_error\n", "line 4: expected 'energy_fit_error NUMBER'"},
      {start + "energy_fit_error -0.1\n", "line 4: energy_fit_error must be a number"},
      {start + "overhead latency_ns 1 energy 2\n", "the line 'energy_unit ...' is missing"},
      {start + "overhead latency_ns 1 energy\n",
       "line 4: expected 'overhead latency_ns NUMBER [energy NUMBER]'"},
      {start + "overhead 12\n", "line 4: expected 'overhead latency_ns NUMBER [energy NUMBER]'"},
      {start + "overhead latency_ns 12us\n",
       "line 4: latency_ns must be a number of at least 0, got '12us'"},
      {start + "op\n", op_usage},
      {start + "op x\n", op_usage},
      {start + "op x latency_ns\n", op_usage},
      {start + "op x w 8 latency_ns 3\n", op_usage},
      {start + "op x w 8 b 8 latency_ns 3\n", op_usage},
      {start + "op x latency_ns 3 energy\n", op_usage},
      {start + "op x latency_ns 3 joules 3\n", op_usage},
      {start + "op \"\" latency_ns 3\n", op_usage},
      {start + "op x w 9 a 8 latency_ns 3\n", "line 4: w must be in [1, 8], got '9'"},
      {start + "op x w 8 a 0 latency_ns 3\n", "line 4: a must be in [1, 8], got '0'"},
      {start + "op x w 8 a -1 latency_ns 3\n", "line 4: a must be in [1, 8], got '-1'"},
      {start + "op x latency_ns -1\n", "at least 0, got '-1'"},
      {start + "op x latency_ns -0\n", "at least 0, got '-0'"},
      {start + "op x latency_ns nan\n", "at least 0, got 'nan'"},
      {start + "op x latency_ns inf\n", "at least 0, got 'inf'"},
      {start + "op x latency_ns 1e999\n", "at least 0, got '1e999'"},
      {start + "op x latency_ns 0x10\n", "at least 0, got '0x10'"},
      {start + "op x latency_ns 1\nop x latency_ns 1\n",
       "line 5: operation 'x' has these widths a second time"},
      {start + "op x latency_ns 1 energy 2\n", "the line 'energy_unit ...' is missing"},
      {start + "energy_unit \"open\n", "line 4: the closing '\"' is missing"},
      {start + "energy_unit \"open\\\n", "line 4: the closing '\"' is missing"},
  };
  for (const BadTable& bad : kCases) {
    const Status status = ParseCostTable(bad.text).status();
    EXPECT_EQ(status.code(), bad.code) << bad.text;
    EXPECT_THAT(status.message(), HasSubstr(bad.error)) << bad.text;
  }
}

TEST(ReadCostTableFileTest, NamesAMissingFile) {
  const Status status = ReadCostTableFile("/nonexistent/table.txt").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("/nonexistent/table.txt"));
}

// Layers of EveryOperationTopology() are conv, grouped, residual and fc; they read the tensors
// input, conv, max and average.
CostTable FullTable() {
  CostTable table;
  table.name = "full";
  table.source = "this test";
  table.overhead_latency_ns = 1000.0;
  for (const char* layer : {"conv", "grouped", "residual", "fc"}) {
    for (int w = 1; w <= 8; ++w) {
      for (int a = 1; a <= 8; ++a) table.operations[{layer, w, a}] = {10.0 * w + a, 0.5 * w};
    }
  }
  return table;
}

TEST(PredictCostTest, AddsTheOverheadAndEveryRow) {
  const Topology topology = EveryOperationTopology();
  const BitAssignment assignment = UniformAssignment(topology, 4, 3);
  CostTable table = FullTable();
  // conv w8 a8: 88, grouped w4 a3: 43, residual w4 a3: 43, fc w8 a8: 88.
  EXPECT_EQ(PredictCost(table, topology, assignment)->latency_ns, 1000.0 + 88 + 43 + 43 + 88);
  table.operations[{"max", 0, 0}] = {7.0, {}};
  EXPECT_EQ(PredictCost(table, topology, assignment)->latency_ns, 1000.0 + 88 + 43 + 43 + 88 + 7);
}

TEST(PredictCostTest, ChargesChannelRunsInProportion) {
  const Topology topology = EveryOperationTopology();
  BitAssignment assignment = UniformAssignment(topology, 4, 3);
  assignment.weight_bits[1] = {{1, 2}, {2, 6}, {1, 2}};
  // grouped: half of w2 a3 = 23 and half of w6 a3 = 63.
  EXPECT_EQ(PredictCost(FullTable(), topology, assignment)->latency_ns, 1000.0 + 88 + 43 + 43 + 88);
  assignment.weight_bits[1] = {{1, 2}, {3, 6}};
  EXPECT_EQ(PredictCost(FullTable(), topology, assignment)->latency_ns, 1000.0 + 88 + 53 + 43 + 88);
}

TEST(PredictCostTest, GivesEnergyOnlyIfEveryRowHasIt) {
  const Topology topology = EveryOperationTopology();
  const BitAssignment assignment = UniformAssignment(topology, 4, 3);
  CostTable table = FullTable();
  EXPECT_FALSE(
      PredictCost(table, topology, assignment)->energy.has_value());  // No unit, no energy.
  table.energy_unit = "uJ-model";
  EXPECT_EQ(PredictCost(table, topology, assignment)->energy, 4.0 + 2.0 + 2.0 + 4.0);
  table.operations[{"max", 0, 0}] = {7.0, {}};
  EXPECT_FALSE(PredictCost(table, topology, assignment)->energy.has_value());
}

TEST(PredictCostTest, NamesTheMissingRow) {
  const Topology topology = EveryOperationTopology();
  CostTable table = FullTable();
  table.operations.erase({"residual", 4, 3});
  const Status status = PredictCost(table, topology, UniformAssignment(topology, 4, 3)).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(),
              HasSubstr("'full' has no row 'op residual w 4 a 3 latency_ns NUMBER'"));
}

// A row to write by hand is no help where the table is of another network.
TEST(PredictCostTest, SaysOfWhichNetworkTheTableIs) {
  const Topology asked = StandardTopology("resnet20").value();
  const Topology other = StandardTopology("resnet8").value();
  CostTable table;
  table.name = "other";
  for (const int operation : LayerOperations(other)) {
    table.operations[{other.operations[static_cast<std::size_t>(operation)].name, 8, 8}] = {1.0,
                                                                                            {}};
  }
  const auto missing = [&] {
    const Status status = PredictCost(table, asked, UniformAssignment(asked, 8, 8)).status();
    EXPECT_EQ(status.code(), StatusCode::kNotFound);
    return status.message();
  };
  EXPECT_THAT(missing(), HasSubstr("it is a table of resnet8, not of resnet20"));
  table.operations[{"mine", 8, 8}] = {1.0, {}};
  EXPECT_THAT(missing(), HasSubstr("is it a table of another network than resnet20?"));
}

TEST(PredictCostTest, RefusesAnAssignmentOfAnotherNetwork) {
  const Topology topology = EveryOperationTopology();
  EXPECT_EQ(PredictCost(FullTable(), topology, BitAssignment{}).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitpilot
