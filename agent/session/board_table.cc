#include "agent/session/board_table.h"

#include <string_view>
#include <utility>

#include "agent/profile/model_board.h"
#include "agent/profile/search_table.h"

namespace bitpilot {
namespace {

constexpr std::string_view kModelDevice = "model:";

// A model answers from its own rows; a board that measures needs none.
std::string WhyTableLacksUniform4(const Topology& topology, const SearchTable& found) {
  if (!found.of_model) return {};
  CostTable own = found.table;
  for (const PairKey& pair : found.stand_ins) own.operations.erase(pair);
  const Result<Cost> cost = PredictCost(own, topology, UniformAssignment(topology, 4, 4));
  return cost.ok() ? std::string() : "the board's table lacks it: " + cost.status().message();
}

TableFacts FactsOf(const Topology& topology, const SearchTable& found) {
  TableFacts facts{FormatCostTable(found.table), TableOrigin::kModel, found.board_seconds,
                   WhyTableLacksUniform4(topology, found)};
  if (!found.of_model) {
    facts.origin = found.board_seconds > 0.0 ? TableOrigin::kMeasured : TableOrigin::kCached;
  }
  return facts;
}

}  // namespace

Result<TableFacts> BoardTable(const Topology& topology, const SearchConfig& config,
                              const ClassId& on, Board& board, SearchObserver& observer,
                              const std::function<bool()>& stop) {
  SearchTableOptions options;
  options.widths = {config.weight_widths, config.activation_widths, config.search_ends};
  options.max_board_seconds = config.table_seconds;
  options.cache_folder = TableCacheFolder();
  options.stop = stop;
  const bool has_name = on != kOnlyClass;
  options.notice = [&](const std::string& text) {
    observer.OnNotice(has_name ? ClassLabel(on) + ": " + text : text);
  };
  bool announced = false;
  options.progress = [&](int done, int total, const std::string& note) {
    if (!announced) {
      observer.OnPhase("measuring every layer at every width on " +
                           (has_name ? "a board of " + ClassLabel(on) : std::string("the board")),
                       total);
    }
    announced = true;
    observer.OnProgress(done, note);
  };
  if (config.fleet.empty() && config.device.starts_with(kModelDevice)) {
    Result<CostTable> table = ReadModelBoard(config.device.substr(kModelDevice.size()));
    if (!table.ok()) return table.status().WithContext("--device " + config.device);
    return FactsOf(topology, TableOfModel(topology, options, std::move(*table)));
  }
  const Result<SearchTable> table = TableOfBoard(topology, options, board);
  if (!table.ok()) return table.status();
  return FactsOf(topology, *table);
}

}  // namespace bitpilot
