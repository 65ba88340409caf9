#include "agent/profile/lut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/profile/lut_export.h"
#include "kernels/base/file_io.h"
#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

LutEntry Entry(const std::string& operation, int weights, int activations, double ns) {
  LutEntry entry;
  entry.operation = operation;
  entry.weight_bits = weights;
  entry.activation_bits = activations;
  entry.latency_ns = ns;
  entry.latency_low_ns = ns - 1.5;
  entry.latency_high_ns = ns + 2.25;
  entry.confidence = 0.9609375;
  entry.samples = 9;
  entry.kernel = "conv_a+conv_b";
  entry.weight_bytes = 18 * weights;
  return entry;
}

// ResNet-8 at 2 and 8 bits; layer l takes 1000 l + 10 w + a ns.
Lut SampleLut() {
  Lut lut;
  lut.name = "resnet8-sse4";
  lut.model = "resnet8";
  lut.source = "measured";
  lut.board.name = "local";
  lut.board.cpu_model = "A \"quoted\" CPU";
  lut.board.core = "a part, CPUs 4-7";
  lut.board.isa = "sse4";
  lut.board.kernel_build = "0123456789abcdef";
  lut.board.backend = "kernels";
  lut.board.cpu_count = 2;
  lut.fingerprint = "0123456789ab";
  lut.bits = {2, 8};
  lut.quick = true;
  lut.networks = 61;
  lut.disturbed = 7;
  lut.reference_clock = "thread CPU";
  lut.reference_ns = 1e5 / 3.0;  // no short decimal form
  lut.reference_low_ns = 33000.0;
  lut.reference_high_ns = 34000.0;
  lut.overhead_ns = 125.0;
  const Topology topology = StandardTopology("resnet8").value();
  int l = 0;
  for (const int layer : LayerOperations(topology)) {
    for (const int w : {2, 8}) {
      for (const int a : {2, 8}) {
        if (l == 0 && a != 8) continue;  // the image
        lut.entries.push_back(Entry(topology.operations[static_cast<std::size_t>(layer)].name, w, a,
                                    1000.0 * l + 10.0 * w + a));
      }
    }
    ++l;
  }
  lut.entries.push_back(Entry("average_pooling2d", 0, 0, 77.0));
  lut.entries.back().energy_uj = 0.5;
  lut.entries.back().energy_source = "METER_EXTERNAL";
  lut.checks.push_back({R"({"activation_bits":[8],"weight_bits":[2]})", 0.9, 1.0, 0.98, 1.02});
  lut.checks.push_back({R"({"activation_bits":[2],"weight_bits":[2]})", 1.06, 1.0, 0.98, 1.02});
  lut.checks.push_back({R"({"activation_bits":[2],"weight_bits":[8]})", 1.0, 1.0, 0.98, 1.02});
  return lut;
}

TEST(LutTest, ComesBackFromItsFileBitForBit) {
  const Lut lut = SampleLut();
  const auto read = ParseLut(FormatLut(lut));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(FormatLut(*read), FormatLut(lut));
  EXPECT_EQ(read->reference_ns, lut.reference_ns);
  EXPECT_EQ(read->reference_clock, "thread CPU");
  EXPECT_EQ(read->board.cpu_model, lut.board.cpu_model);
  EXPECT_EQ(read->board.core, lut.board.core);
  EXPECT_EQ(read->fingerprint, lut.fingerprint);
  EXPECT_EQ(read->entries.size(), lut.entries.size());
  EXPECT_EQ(read->entries.back().energy_uj, 0.5);
  EXPECT_FALSE(read->entries.front().energy_uj.has_value());
  EXPECT_EQ(read->checks.front().assignment, lut.checks.front().assignment);
}

TEST(LutTest, SaysWhatItsErrorsAre) {
  const Lut lut = SampleLut();  // errors 0.10, 0.06 and 0
  EXPECT_NEAR(lut.prediction_error_median(), 0.06, 1e-12);
  EXPECT_NEAR(lut.prediction_error_worst(), 0.10, 1e-12);
}

TEST(LutTest, RefusesWhatIsNoTable) {
  const std::string good = FormatLut(SampleLut());
  const auto with = [&](const std::string& what, const std::string& instead) {
    std::string text = good;
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    text.replace(at, what.size(), instead);
    return ParseLut(text).status();
  };
  EXPECT_EQ(ParseLut("").status().code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(ParseLut("[]").status().code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(ParseLut("{\"format\":7}").status().code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(ParseLut(good.substr(0, good.size() / 2)).status().code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(with("\"version\": 1", "\"version\": 2").code(), StatusCode::kVersionMismatch);
  EXPECT_EQ(with("\"isa\"", "\"is\"").code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(with("\"weight_bits\":2", "\"weight_bits\":9").code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(with("\"weight_bits\":2", "\"weight_bits\":0").code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(with("\"latency_median_ns\":28.0", "\"latency_median_ns\":-28.0").code(),
            StatusCode::kDataCorrupt);
  EXPECT_EQ(with("\"latency_median_ns\":28.0", "\"latency_median_ns\":\"28\"").code(),
            StatusCode::kDataCorrupt);
  EXPECT_EQ(with("\"overhead_ns\": 125.0", "\"overhead_ns\": -1").code(), StatusCode::kDataCorrupt);
}

TEST(LutTest, ItsErrorsNameTheField) {
  const std::string good = FormatLut(SampleLut());
  const auto with = [&](const std::string& what, const std::string& instead) {
    std::string text = good;
    text.replace(text.find(what), what.size(), instead);
    return ParseLut(text).status().message();
  };
  EXPECT_THAT(with("\"isa\"", "\"is\""), StartsWith("board: "));
  EXPECT_THAT(with("\"quick\":true", "\"quick\":1"), StartsWith("profile.quick: "));
  EXPECT_THAT(with("\"version\": 1", "\"v\": 1"), StartsWith("version: "));
  // Entries 0 and 1 are the first layer's; the third one reads 2 bits.
  EXPECT_THAT(with("\"weight_bits\":2,\"activation_bits\":2", "\"weight_bits\":2"),
              StartsWith("entries[2].activation_bits: "));
  EXPECT_THAT(with("\"latency_median_ns\":77.0", "\"latency_median_ns\":\"77\""),
              StartsWith("other_operations[0].latency_median_ns: "));
  EXPECT_THAT(with("\"measured_low\":0.98", "\"measured_low\":null"),
              StartsWith("check.networks[0].measured_low: "));
}

TEST(LutTest, PredictsAsACostTable) {
  const CostTable table = ToCostTable(SampleLut());
  EXPECT_EQ(table.name, "resnet8-sse4");
  EXPECT_THAT(table.source, HasSubstr("A \"quoted\" CPU, sse4"));
  EXPECT_THAT(table.source, HasSubstr("6.0 % in the median, 10.0 % at worst"));
  EXPECT_TRUE(table.energy_unit.empty()) << "a measured energy must not become a model's";
  const Topology topology = StandardTopology("resnet8").value();
  // 10 layers at w2 a8: the sum of 1000 l is 45,000, and each layer adds 28; pool and overhead.
  const auto cost = PredictCost(table, topology, UniformAssignment(topology, 2, 8, true));
  ASSERT_TRUE(cost.ok()) << cost.status().message();
  EXPECT_DOUBLE_EQ(cost->latency_ns, 45'000.0 + 10 * 28.0 + 77.0 + 125.0);
  // And its text is a cost table that bitpilotd reads.
  const auto read = ParseCostTable(FormatCostTable(table));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->operations.size(), table.operations.size());
}

TEST(LutExportTest, CsvHasALineAnEntry) {
  const std::string csv = FormatLutCsv(SampleLut());
  EXPECT_THAT(csv, StartsWith("layer,weight_bits,activation_bits,latency_median_ns,"));
  EXPECT_THAT(csv, HasSubstr("\nconv2d,2,8,28,26.5,30.25,0.9609375,9,conv_a+conv_b,36,,NONE\n"));
  EXPECT_THAT(csv, HasSubstr("\naverage_pooling2d,,,77,75.5,79.25,0.9609375,9,conv_a+conv_b,0,0.5,"
                             "METER_EXTERNAL\n"));
}

TEST(LutExportTest, HaqTableIsANumpyFileOfLayersByWeightsByActivations) {
  const Topology topology = StandardTopology("resnet8").value();
  const std::string bytes = FormatHaqTable(SampleLut(), topology);
  ASSERT_GT(bytes.size(), 10u);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const std::size_t header =
      10 + static_cast<unsigned char>(bytes[8]) + 256 * static_cast<unsigned char>(bytes[9]);
  EXPECT_EQ(header % 64, 0u);
  EXPECT_THAT(bytes.substr(10, header - 10),
              StartsWith("{'descr': '<i8', 'fortran_order': False, 'shape': (10, 8, 8), }"));
  EXPECT_EQ(bytes[header - 1], '\n');
  ASSERT_EQ(bytes.size(), header + 10 * 8 * 8 * 8);
  const auto at = [&](std::size_t layer, std::size_t weights, std::size_t activations) {
    std::int64_t value = 0;
    std::memcpy(&value,
                bytes.data() + header + 8 * ((layer * 8 + weights - 1) * 8 + activations - 1),
                sizeof value);
    return value;
  };
  EXPECT_EQ(at(3, 2, 8), 3028);
  EXPECT_EQ(at(3, 8, 2), 3082);
  EXPECT_EQ(at(3, 5, 2), 3082) << "the next wider pair that was measured";
  EXPECT_EQ(at(3, 1, 1), 3022);
  EXPECT_EQ(at(3, 3, 3), 3088);
  EXPECT_EQ(at(0, 2, 1), 28) << "the first layer reads the image whatever the table asks";
}

TEST(LutExportTest, FreeBitsTableHasARowALayerIdentityAndPair) {
  const Topology topology = StandardTopology("resnet8").value();
  const auto table = nlohmann::json::parse(FormatFreeBitsTable(SampleLut(), topology));
  EXPECT_EQ(table.at("max_latency"), 9088.0);
  // 9 identities: conv2d_1 and conv2d_2 are alike. The first layer has two pairs, the others four.
  ASSERT_EQ(table.at("rows").size(), 2u + 8u * 4u);
  for (const auto& row : table.at("rows")) {
    if (row.at("ch_in") == 16 && row.at("ch_out") == 16 && row.at("in_bits") == 8 &&
        row.at("w_bits") == 2) {
      EXPECT_EQ(row.at("latency"), 1528.0) << "the mean of layers 1 and 2";
    }
    if (row.at("ch_out") == 10) {
      EXPECT_EQ(row.at("kernel"), 1);
      EXPECT_EQ(row.at("in_size"), 1);
      EXPECT_EQ(row.at("ch_in"), 64);
    }
    EXPECT_EQ(row.at("depthwise"), false);
    EXPECT_EQ(row.at("out_bits"), 8);
  }
}

TEST(LutExportTest, TheEndingNamesTheForm) {
  const Topology topology = StandardTopology("resnet8").value();
  const std::string base = testing::TempDir() + "/export-" + std::to_string(getpid());
  const auto written = [&](const std::string& ending) {
    EXPECT_TRUE(ExportLut(SampleLut(), topology, base + ending).ok());
    const std::string text = ReadFile(base + ending).value();
    std::filesystem::remove(base + ending);
    return text;
  };
  EXPECT_EQ(written(".json"), FormatLut(SampleLut()));
  EXPECT_EQ(written(".cost"), FormatCostTable(ToCostTable(SampleLut())));
  EXPECT_EQ(written(".csv"), FormatLutCsv(SampleLut()));
  EXPECT_EQ(written(".npy"), FormatHaqTable(SampleLut(), topology));
  EXPECT_EQ(written(".free-bits.json"), FormatFreeBitsTable(SampleLut(), topology));
  EXPECT_EQ(ExportLut(SampleLut(), topology, base + ".xlsx").code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(base + ".xlsx"));
}

TEST(LutExportTest, RefusesATableOfAnotherNetwork) {
  const std::string path = testing::TempDir() + "/other-" + std::to_string(getpid()) + ".npy";
  const Status other = ExportLut(SampleLut(), StandardTopology("resnet20").value(), path);
  EXPECT_EQ(other.code(), StatusCode::kDataCorrupt);
  Lut lut = SampleLut();
  std::erase_if(lut.entries, [](const LutEntry& e) {
    return e.operation == "conv2d_3" && e.weight_bits == 8 && e.activation_bits == 8;
  });
  const Status lacking = ExportLut(lut, StandardTopology("resnet8").value(), path);
  EXPECT_EQ(lacking.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(lacking.message(), HasSubstr("conv2d_3"));
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace bitpilot
