#include "agent/profile/search_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <thread>

#include "kernels/base/file_io.h"
#include "kernels/base/standard_networks.h"
#include "tests/agent/timed_board.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

class SearchTableTest : public testing::Test {
 protected:
  SearchTableTest() {
    options_.widths = {{2, 4, 8}, {2, 4, 8}, false};
    options_.cache_folder = folder_ / "cache/tables";
    options_.stop = [] { return false; };
    options_.progress = [](int, int, const std::string&) {};
    options_.notice = [this](const std::string& text) { notices_.push_back(text); };
  }

  std::string File(const BoardInfo& board, const std::vector<int>& bits = {2, 4, 8}) const {
    return TableCacheFile(options_.cache_folder, topology_, board, bits);
  }

  double Row(const CostTable& table, int operation, int weights, int activations) const {
    const std::string& name = topology_.operations[static_cast<std::size_t>(operation)].name;
    return table.operations.at({name, weights, activations}).latency_ns;
  }

  TemporaryFolder folder_;
  Topology topology_ = StandardTopology("resnet8").value();
  SearchTableOptions options_;
  std::vector<std::string> notices_;
};

TEST_F(SearchTableTest, FindsEveryLayersTimes) {
  TimedBoard board;
  const Result<SearchTable> found = TableOfBoard(topology_, options_, board);
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_FALSE(found->of_model);
  EXPECT_DOUBLE_EQ(found->board_seconds, 0.25 * board.networks());
  int rows = 0;
  for (const auto& [name, weights, activations] : NeededPairs(topology_, options_.widths)) {
    for (int i = 0; i < topology_.num_operations(); ++i) {
      if (topology_.operations[static_cast<std::size_t>(i)].name != name) continue;
      EXPECT_NEAR(Row(found->table, i, weights, activations),
                  ExampleTimeNs(topology_, i, weights, activations), 1e-2)
          << name << " w" << weights << " a" << activations;
      ++rows;
    }
  }
  EXPECT_EQ(rows, 2 + 8 * 9);
  EXPECT_TRUE(ParseCostTable(FormatCostTable(found->table)).ok());
  EXPECT_THAT(found->table.source, testing::Not(HasSubstr("stand for")));
}

TEST_F(SearchTableTest, IsMeasuredOnceForAllBoardsOfAClass) {
  TimedBoard first;
  const Result<SearchTable> measured = TableOfBoard(topology_, options_, first);
  ASSERT_TRUE(measured.ok());
  ASSERT_TRUE(std::filesystem::exists(File(first.info())));
  TimedBoard second;
  second.mutable_info().name = "another of that kind";
  const Result<SearchTable> kept = TableOfBoard(topology_, options_, second);
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(second.networks(), 0);
  EXPECT_EQ(kept->board_seconds, 0.0);
  EXPECT_EQ(FormatCostTable(kept->table), FormatCostTable(measured->table));
  EXPECT_TRUE(notices_.empty());

  TimedBoard newer;
  newer.mutable_info().kernel_build = "bbbb";
  ASSERT_TRUE(TableOfBoard(topology_, options_, newer).ok());
  EXPECT_GT(newer.networks(), 0) << "times of another kernel build are another table's";
  TimedBoard wider;
  options_.widths.weights = {2, 4, 6, 8};
  ASSERT_TRUE(TableOfBoard(topology_, options_, wider).ok());
  EXPECT_GT(wider.networks(), 0);
  TimedBoard other;
  ASSERT_TRUE(TableOfBoard(StandardTopology("resnet20").value(), options_, other).ok());
  EXPECT_GT(other.networks(), 0);
  EXPECT_TRUE(notices_.empty());
}

TEST_F(SearchTableTest, EndsWithItsTimeAndGoesOnWhereALaterSearchHasMore) {
  TimedBoard board;
  options_.max_board_seconds = 1.0;
  const Result<SearchTable> quick = TableOfBoard(topology_, options_, board);
  ASSERT_TRUE(quick.ok()) << quick.status().message();
  // The first job alone: uniform 8, 2 and 4 bit.
  EXPECT_EQ(board.networks(), 3);
  EXPECT_THAT(quick->table.source, HasSubstr("stand for"));
  for (int i = 0; i < topology_.num_operations(); ++i) {
    const Operation& op = topology_.operations[static_cast<std::size_t>(i)];
    if (!HasWeights(op) || op.input == 0) continue;
    if (!quick->table.operations.contains({op.name, 2, 4})) continue;  // the last layer
    EXPECT_NEAR(Row(quick->table, i, 2, 2), ExampleTimeNs(topology_, i, 2, 2), 1e-2) << op.name;
    EXPECT_EQ(Row(quick->table, i, 2, 4), Row(quick->table, i, 4, 4)) << op.name;
    EXPECT_EQ(Row(quick->table, i, 4, 8), Row(quick->table, i, 8, 8)) << op.name;
  }
  ASSERT_TRUE(TableOfBoard(topology_, options_, board).ok());
  EXPECT_EQ(board.networks(), 3) << "its time was spent by the first search";

  options_.max_board_seconds = 5.0;
  const Result<SearchTable> longer = TableOfBoard(topology_, options_, board);
  ASSERT_TRUE(longer.ok());
  // 0.75 s were spent; jobs of eight networks take 2 s.
  EXPECT_EQ(board.networks(), 3 + 2 * 8);
  EXPECT_DOUBLE_EQ(longer->board_seconds, 4.0);
  options_.max_board_seconds = 1000.0;
  const Result<SearchTable> whole = TableOfBoard(topology_, options_, board);
  ASSERT_TRUE(whole.ok());
  EXPECT_THAT(whole->table.source, testing::Not(HasSubstr("stand for")));
}

TEST_F(SearchTableTest, TellsADamagedFileAndMeasuresAnew) {
  TimedBoard board;
  ASSERT_TRUE(TableOfBoard(topology_, options_, board).ok());
  const std::string path = File(board.info());
  const std::string good = ReadFile(path).value();
  const int once = board.networks();
  std::string digit = good;
  // The first digit of a time.
  digit[digit.find("\"latency_ns\":") + 13] ^= 1;
  for (const std::string& damaged : {digit, good.substr(0, good.size() / 2), std::string()}) {
    notices_.clear();
    ASSERT_TRUE(WriteFileAtomically(path, damaged).ok());
    TimedBoard again;
    ASSERT_TRUE(TableOfBoard(topology_, options_, again).ok());
    EXPECT_EQ(again.networks(), once);
    ASSERT_EQ(notices_.size(), 1U);
    EXPECT_THAT(notices_[0], HasSubstr(path));
    EXPECT_EQ(ReadFile(path).value(), good) << "the same measurements again";
  }
}

TEST_F(SearchTableTest, TellsAForeignFileAndMeasuresAnew) {
  TimedBoard board;
  ASSERT_TRUE(TableOfBoard(topology_, options_, board).ok());
  const std::string path = File(board.info());
  TimedBoard other;
  other.mutable_info().cpu_model = "Other CPU";
  std::filesystem::copy_file(path, File(other.info()));
  const Result<SearchTable> found = TableOfBoard(topology_, options_, other);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(other.networks(), board.networks());
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_[0], HasSubstr("\"Example CPU\""));
  EXPECT_THAT(notices_[0], HasSubstr("\"Other CPU\""));
}

TEST_F(SearchTableTest, SearchesAtTheSameTimeLeaveAWholeFile) {
  std::vector<std::thread> searches;
  std::vector<std::string> tables(4);
  for (std::string& table : tables) {
    searches.emplace_back([this, &table] {
      SearchTableOptions options = options_;
      options.notice = [](const std::string& text) { ADD_FAILURE() << text; };
      TimedBoard board;
      table = FormatCostTable(TableOfBoard(topology_, options, board).value().table);
    });
  }
  for (std::thread& search : searches) search.join();
  EXPECT_EQ(std::set<std::string>(tables.begin(), tables.end()).size(), 1U);
  TimedBoard later;
  ASSERT_TRUE(TableOfBoard(topology_, options_, later).ok());
  EXPECT_EQ(later.networks(), 0);
  EXPECT_TRUE(notices_.empty());
  int files = 0;
  for ([[maybe_unused]] const auto& file :
       std::filesystem::directory_iterator(options_.cache_folder)) {
    ++files;
  }
  EXPECT_EQ(files, 1) << "no temporary files stay";
}

TEST_F(SearchTableTest, WorksWithoutAPlaceToKeepIt) {
  TimedBoard board;
  options_.cache_folder.clear();
  ASSERT_TRUE(TableOfBoard(topology_, options_, board).ok());
  EXPECT_TRUE(notices_.empty());
  ASSERT_TRUE(WriteFileAtomically(folder_ / "file", "no folder").ok());
  options_.cache_folder = folder_ / "file/tables";
  ASSERT_TRUE(TableOfBoard(topology_, options_, board).ok());
  ASSERT_EQ(notices_.size(), 1U) << "told once";
  EXPECT_THAT(notices_[0], HasSubstr(folder_ / "file"));
}

TEST_F(SearchTableTest, AStoppedSearchKeepsWhatItMeasured) {
  TimedBoard board;
  int jobs = 0;
  options_.progress = [&](int, int, const std::string&) { ++jobs; };
  options_.stop = [&] { return jobs == 2; };
  const Result<SearchTable> stopped = TableOfBoard(topology_, options_, board);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.status().code(), StatusCode::kAborted);
  const int before = board.networks();
  EXPECT_EQ(before, 3 + 8);
  options_.stop = [] { return false; };
  ASSERT_TRUE(TableOfBoard(topology_, options_, board).ok());
  TimedBoard whole;
  options_.cache_folder.clear();
  ASSERT_TRUE(TableOfBoard(topology_, options_, whole).ok());
  EXPECT_EQ(board.networks(), whole.networks()) << "nothing was measured twice";
}

TEST_F(SearchTableTest, AModelBoardsRowsAreItsOwn) {
  TimedBoard board;
  board.mutable_info().backend = "model:example";
  board.set_overhead_ns(5000.0);
  options_.max_board_seconds = 0.1;
  const Result<SearchTable> found = TableOfBoard(topology_, options_, board);
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_TRUE(found->of_model);
  EXPECT_EQ(board.networks(), 9) << "each pair once, whatever the time";
  EXPECT_NEAR(found->table.overhead_latency_ns, 5000.0, 1e-6);
  EXPECT_EQ(Row(found->table, 1, 2, 4), ExampleTimeNs(topology_, 1, 2, 4));
  EXPECT_THAT(found->table.source, HasSubstr("MODEL:example"));
  EXPECT_FALSE(std::filesystem::exists(options_.cache_folder)) << "nothing of it is kept";
}

TEST_F(SearchTableTest, TellsPairsThatAModelBoardCannotAnswer) {
  TimedBoard board;
  board.mutable_info().backend = "model:example";
  board.set_unsupported(2, 4);
  const Result<SearchTable> found = TableOfBoard(topology_, options_, board);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_[0], HasSubstr("1 of 9 pairs of widths cannot be measured"));
  EXPECT_THAT(notices_[0], HasSubstr("give --weight-widths 4,8 --activation-widths 2,4,8"));
  EXPECT_THAT(notices_[0], HasSubstr("w2a4: UNSUPPORTED no such row"));
  EXPECT_EQ(Row(found->table, 1, 2, 4), ExampleTimeNs(topology_, 1, 4, 4));
  TimedBoard none;
  none.mutable_info().backend = "model:example";
  none.set_unsupported(8, 8);
  EXPECT_EQ(TableOfBoard(topology_, options_, none).status().code(), StatusCode::kUnavailable);
}

TEST_F(SearchTableTest, ATableThatTheAgentHoldsIsTakenAsItIs) {
  CostTable table;
  table.name = "example";
  table.source = "a book";
  table.energy_unit = "uJ-model";
  table.overhead_latency_ns = 10.0;
  for (const auto& [name, weights, activations] : NeededPairs(topology_, options_.widths)) {
    table.operations[{name, weights, activations}] = {100.0 * weights + activations, 1.5};
  }
  const SearchTable whole = TableOfModel(topology_, options_, table);
  EXPECT_EQ(FormatCostTable(whole.table), FormatCostTable(table));
  EXPECT_TRUE(notices_.empty());
  const std::string& layer = topology_.operations[1].name;
  table.operations.erase({layer, 2, 2});
  const SearchTable filled = TableOfModel(topology_, options_, table);
  EXPECT_EQ(filled.table.operations.at({layer, 2, 2}).latency_ns, 204.0);
  EXPECT_EQ(filled.table.operations.at({layer, 2, 2}).energy, 1.5);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_[0], HasSubstr(layer + " at w2a2"));
}

}  // namespace
}  // namespace bitpilot
