#include "agent/profile/search_table.h"

#include <set>
#include <utility>

#include "agent/fleet/board_conditions.h"
#include "agent/profile/ask_model.h"
#include "agent/profile/build_lut.h"
#include "agent/profile/measure_profile.h"
#include "agent/profile/profile_plan.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/home_folder.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

constexpr std::size_t kKeyDigits = 16;

// Ascending, 8 among them.
std::vector<int> AllWidths(const SearchTableOptions& options) {
  std::set<int> bits = {8};
  bits.insert(options.widths.weights.begin(), options.widths.weights.end());
  bits.insert(options.widths.activations.begin(), options.widths.activations.end());
  return {bits.begin(), bits.end()};
}

// Everything that times depend on; names do not matter, but rows are keyed by them.
std::string TextOf(const Topology& topology) {
  std::string text = topology.name;
  const auto add = [&text](int value) { text += ' ' + std::to_string(value); };
  for (const int size : {topology.input.height, topology.input.width, topology.input.channels})
    add(size);
  for (const Operation& op : topology.operations) {
    text += '\n' + op.name;
    for (const int value :
         {static_cast<int>(op.kind), op.input, op.residual, op.out_channels, op.kernel_h,
          op.kernel_w, op.stride_h, op.stride_w, op.padding.top, op.padding.left, op.padding.bottom,
          op.padding.right, op.groups, op.pad_channels_before, static_cast<int>(op.activation)}) {
      add(value);
    }
  }
  return text;
}

// Rows for the pairs that the table lacks; returns which.
std::vector<PairKey> StandIn(const Topology& topology, const SearchTableOptions& options,
                             CostTable& table) {
  const std::set<PairKey> needed = NeededPairs(topology, options.widths);
  std::vector<PairKey> filled = FillMissingPairs(needed, table);
  if (!filled.empty()) {
    table.source += "; " + std::to_string(filled.size()) + " of " + std::to_string(needed.size()) +
                    " rows stand for a pair that it lacks: the next wider one's";
  }
  return filled;
}

void TellMissing(const SearchTableOptions& options, const std::set<WidthPair>& missing,
                 const std::string& what, const std::string& first) {
  if (missing.empty()) return;
  const std::string flags = FlagsWithout(missing, options.widths);
  options.notice(what +
                 " cannot be measured on this board, and candidates that need them will fail; " +
                 (flags.empty() ? std::string() : "give " + flags + " to do without them; ") +
                 "the first one: " + first);
}

Result<SearchTable> AskedTable(const Topology& topology, const SearchTableOptions& options,
                               Board& board) {
  Result<ModelAnswers> answers =
      AskModel(topology, options.widths, board, options.stop, options.progress);
  if (!answers.ok()) return answers.status();
  TellMissing(options, answers->unanswered,
              std::to_string(answers->unanswered.size()) + " of " + std::to_string(answers->asked) +
                  " pairs of widths",
              answers->first_failure);
  SearchTable result{std::move(answers->table), /*of_model=*/true, 0.0, {}};
  result.stand_ins = StandIn(topology, options, result.table);
  return result;
}

}  // namespace

std::string TableCacheFolder() {
  const std::string folder = CacheFolder();
  return folder.empty() ? "" : folder + "/tables";
}

std::string TableCacheFile(const std::string& folder, const Topology& topology,
                           const BoardInfo& board, const std::vector<int>& bits) {
  std::string text = ClassFingerprintOf(board) + '\n' + TextOf(topology) + '\n';
  for (const int width : bits) text += std::to_string(width) + ' ';
  return folder + "/" + topology.name + "-" + Sha256Hex(text).substr(0, kKeyDigits) + ".json";
}

Result<SearchTable> TableOfBoard(const Topology& topology, const SearchTableOptions& options,
                                 Board& board) {
  if (board.info().is_model()) return AskedTable(topology, options, board);
  const ProfileSettings settings{topology.name, AllWidths(options), /*quick=*/true,
                                 /*bounded=*/true};
  const ProfilePlan plan = MakeProfilePlan(topology, settings);
  ProfileOptions profile;
  profile.stop = options.stop;
  profile.progress = options.progress;
  profile.max_board_seconds = options.max_board_seconds;
  profile.cache_trouble = [&options](const Status& trouble) {
    options.notice("the cache of tables is of no use now: " + trouble.message());
  };
  if (!options.cache_folder.empty()) {
    const Status folder = MakeFolderDurably(options.cache_folder);
    if (folder.ok()) {
      profile.unfinished_path =
          TableCacheFile(options.cache_folder, topology, board.info(), settings.bits);
    } else {
      profile.cache_trouble(folder);
    }
  }
  const Result<ProfileData> data = MeasureProfile(topology, settings, plan, board, profile);
  if (!data.ok()) return data.status();
  const Result<Lut> lut = BuildLut(topology, plan, *data);
  if (!lut.ok()) return lut.status();
  SearchTable result{ToCostTable(*lut), /*of_model=*/false, data->board_seconds(data->kept), {}};
  result.table.source += ", " + std::to_string(lut->networks) + " networks";
  result.stand_ins = StandIn(topology, options, result.table);
  return result;
}

SearchTable TableOfModel(const Topology& topology, const SearchTableOptions& options,
                         CostTable table) {
  std::vector<PairKey> missing = StandIn(topology, options, table);
  if (!missing.empty()) {
    std::set<WidthPair> pairs;
    for (const auto& [name, weights, activations] : missing) pairs.insert({weights, activations});
    const auto& [name, weights, activations] = missing.front();
    TellMissing(options, pairs, std::to_string(missing.size()) + " pairs of a layer and widths",
                name + " at w" + std::to_string(weights) + "a" + std::to_string(activations));
  }
  return {std::move(table), /*of_model=*/true, 0.0, std::move(missing)};
}

}  // namespace bitpilot
