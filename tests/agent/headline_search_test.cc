#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "experiments/headline/ended_search.h"
#include "experiments/headline/session_times.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

template <typename T>
Event EventOf(const T& event) {
  return {0, std::string(T::kKind), ToJson(event)};
}

FinalRow RowOf(FinalistRole role, int number, double validation, double ratio) {
  FinalRow row;
  row.role = role;
  row.number = number;
  row.label = LabelOf(role, number);
  row.validation_accuracy = validation;
  row.ratio = ratio;
  return row;
}

EndedSearch SearchWithRows(std::vector<FinalRow> rows) {
  EndedSearch search;
  search.config.budgets.max_latency_ratio = 0.515;
  search.final.emplace().rows = std::move(rows);
  return search;
}

TEST(EndedSearchTest, IsWhatTheLogSays) {
  SearchConfig config;
  config.final_batches = 220;
  BoardEvent board;
  board.cpu_class = "some CPU";
  AnchorEvent twin;
  twin.anchor.readings.resize(2);
  twin.anchor.readings[1].batches = 144;
  ProposalEvent proposal;
  proposal.pace.batches = 12;
  AdvanceEvent advance;
  advance.pace.batches = 30;
  const std::vector<Event> events = {EventOf(AgentEvent{"bitpilot 1", "", kLogVersion}),
                                     EventOf(board),
                                     EventOf(ProblemEvent()),
                                     EventOf(twin),
                                     EventOf(proposal),
                                     EventOf(advance),
                                     EventOf(AgentEvent{"bitpilot 2", "", kLogVersion}),
                                     EventOf(FinalEvent())};
  const Result<EndedSearch> search = EndedSearchOf(config, events, "resume");
  ASSERT_TRUE(search.ok()) << search.status().message();
  EXPECT_EQ(search->builds, (std::set<std::string>{"bitpilot 1", "bitpilot 2"}));
  EXPECT_EQ(search->board->cpu_class, "some CPU");
  EXPECT_EQ(search->search_batches, 42);
  EXPECT_EQ(search->twin_batches, 144);
  EXPECT_EQ(search->proposals.size(), 1U);

  const Result<EndedSearch> interrupted =
      EndedSearchOf(config, {events.begin(), events.end() - 1}, "bitpilot search --resume");
  ASSERT_FALSE(interrupted.ok());
  EXPECT_EQ(interrupted.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(interrupted.status().message(), HasSubstr("bitpilot search --resume"));
}

TEST(FoundRowTest, IsTheMostAccurateOnValidationWithinTheBudget) {
  const EndedSearch search = SearchWithRows(
      {RowOf(FinalistRole::kUniform8, 0, 0.99, 0.3),  // of no front
       RowOf(FinalistRole::kFront, 1, 0.80, 0.40),
       RowOf(FinalistRole::kFront, 2, 0.90, 0.515),  // of equals the slower
       RowOf(FinalistRole::kFront, 3, 0.90, 0.50), RowOf(FinalistRole::kFront, 4, 0.95, 0.516)});
  EXPECT_EQ(FoundRow(search)->number, 3);
}

TEST(FoundRowTest, IsTheFastestWhereNoneKeepsTheBudget) {
  const EndedSearch search = SearchWithRows(
      {RowOf(FinalistRole::kFront, 1, 0.80, 0.53), RowOf(FinalistRole::kFront, 2, 0.90, 0.52)});
  EXPECT_EQ(FoundRow(search)->number, 2);
}

TEST(FoundRowTest, IsNoneWithoutFigures) {
  FinalRow not_measured = RowOf(FinalistRole::kFront, 1, 0.80, 0.4);
  not_measured.ratio.reset();
  EXPECT_EQ(FoundRow(SearchWithRows({not_measured})), nullptr);
  EXPECT_EQ(FoundRow(SearchWithRows({RowOf(FinalistRole::kUniform4, 0, 0.8, 0.4)})), nullptr);
}

TEST(ReferenceBatchesTest, AreNoFewerThanANetworkFromUniform8BitsEndHad) {
  EndedSearch search = SearchWithRows({RowOf(FinalistRole::kFront, 1, 0.8, 0.4)});
  search.config.final_batches = 220;
  search.search_batches = 60;
  search.twin_batches = 144;
  EXPECT_EQ(ReferenceBatches(search), 144 + 220);
  FinalRow& row = search.final->rows.front();
  row.mini_batches = 144 + 220;
  EXPECT_TRUE(CheckBatches(search, row).ok());
  search.search_batches = 150;
  EXPECT_EQ(ReferenceBatches(search), 150 + 220);
}

TEST(ReferenceBatchesTest, AreRefusedWhereTheFoundNetworkHadMore) {
  EndedSearch search = SearchWithRows({RowOf(FinalistRole::kFront, 1, 0.8, 0.4)});
  search.config.final_batches = 220;
  search.search_batches = 60;
  FinalRow& row = search.final->rows.front();
  row.mini_batches = 281;
  const Status more = CheckBatches(search, row);
  EXPECT_EQ(more.code(), StatusCode::kInternal);
  EXPECT_THAT(more.message(), HasSubstr("front 1 had 281 mini-batches, the references get 280"));
  row.mini_batches.reset();
  EXPECT_FALSE(CheckBatches(search, row).ok());
}

TEST(IsProgramAnswerTest, ComparesWidthsAndNotWhoProposedThem) {
  EndedSearch search = SearchWithRows({RowOf(FinalistRole::kFront, 1, 0.8, 0.4)});
  FinalRow& row = search.final->rows.front();
  row.assignment_id = "b";
  search.proposals.resize(2);
  search.proposals[0].assignment_id = "a";
  search.proposals[0].choice = {4, 4};
  search.proposals[1].assignment_id = "b";
  search.proposals[1].choice = {2, 8};
  search.proposals[1].origin = Origin::kPlanned;
  EXPECT_FALSE(IsProgramAnswer(search, row)) << "the program was not asked";
  search.program.emplace();
  search.program->answers = {{0.5, {4, 4}}, {0.6, {4, 8}}};
  EXPECT_FALSE(IsProgramAnswer(search, row));
  search.program->answers.push_back({0.7, {2, 8}});
  EXPECT_TRUE(IsProgramAnswer(search, row));
  search.program->answers.clear();
  search.program->fastest = {2, 8};
  EXPECT_TRUE(IsProgramAnswer(search, row));
}

TEST(SessionTimesTest, AreSumsOverTheSessions) {
  const auto times = ParseSessionTimes("begin\nend 100.5 90 1.5\nbegin\nend 20 10 0\n");
  ASSERT_TRUE(times.ok() && *times);
  EXPECT_EQ((*times)->wall_seconds, 120.5);
  EXPECT_EQ((*times)->cpu_seconds, 101.5);
}

TEST(SessionTimesTest, AreUnknownWhereASessionHasNoEnd) {
  for (const char* const text :
       {"", "begin\n", "begin\nend 1 1 0\nbegin\n", "begin\nbegin\nend 20 10 0\n"}) {
    const auto times = ParseSessionTimes(text);
    ASSERT_TRUE(times.ok()) << text;
    EXPECT_FALSE(times->has_value()) << text;
  }
}

TEST(SessionTimesTest, RefusesOtherLines) {
  for (const char* const text : {"end 1 1 0\n", "begin\nend 1 1\n", "begin\nKilled\n", "\n"}) {
    const auto times = ParseSessionTimes(text);
    EXPECT_EQ(times.status().code(), StatusCode::kDataCorrupt) << text;
  }
}

}  // namespace
}  // namespace bitpilot
