#include "kernels/base/cost_table.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <vector>

#include "kernels/base/quoted.h"
#include "kernels/base/text_file.h"

namespace bitpilot {
namespace {

constexpr std::string_view kFormatName = "bitpilot-cost-table";

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Reads the quoted word that starts at line[position]; leaves `position` behind it.
Result<std::string> ReadQuoted(std::string_view line, std::size_t& position) {
  std::string word;
  for (++position; position < line.size(); ++position) {
    char c = line[position];
    if (c == '"') {
      ++position;
      return word;
    }
    if (c == '\\') {
      if (++position == line.size()) break;
      c = line[position] == 'n' ? '\n' : line[position];
    }
    word += c;
  }
  return InvalidArgument("the closing '\"' is missing");
}

// Splits a line into words. A word in double quotes may hold anything; \" \\ and \n are escapes in
// it.
Result<std::vector<std::string>> SplitLine(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < line.size() && line[i] != '#';) {
    if (IsSpace(line[i])) {
      ++i;
    } else if (line[i] == '"') {
      Result<std::string> word = ReadQuoted(line, i);
      if (!word.ok()) return word.status();
      words.push_back(std::move(word).value());
    } else {
      const std::size_t begin = i;
      while (i < line.size() && !IsSpace(line[i]) && line[i] != '#' && line[i] != '"') ++i;
      words.emplace_back(line.substr(begin, i - begin));
    }
  }
  return words;
}

// A cost: a decimal number that is finite and not negative.
Result<double> ParseCost(std::string_view field, std::string_view text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value) &&
      value >= 0.0 && !std::signbit(value)) {
    return value;
  }
  return InvalidArgument(std::string(field) + " must be a number of at least 0, got " +
                         Quoted(text));
}

Result<int> ParseWidth(std::string_view field, std::string_view text) {
  if (text.size() == 1 && text[0] >= '1' && text[0] <= '8') return text[0] - '0';
  return InvalidArgument(std::string(field) + " must be in [1, 8], got " + Quoted(text));
}

// Parses one line after the other into a table.
class Parser {
 public:
  bool has_format() const { return has_format_; }
  Status ParseLine(const std::vector<std::string>& words);
  Result<CostTable> Finish();

 private:
  Status ParseFormat(const std::vector<std::string>& words);
  Status ParseText(const std::vector<std::string>& words, std::string& field);
  Status ParseCount(const std::vector<std::string>& words);
  Status ParseUnit(const std::vector<std::string>& words);
  Status ParseFitError(const std::vector<std::string>& words);
  Status ParseOverhead(const std::vector<std::string>& words);
  Status ParseOperation(const std::vector<std::string>& words);

  CostTable table_;
  std::optional<std::size_t> num_operations_;  // Announced.
  bool has_format_ = false;
  bool has_energies_ = false;
  std::set<std::string> seen_;  // Keywords that may come only once.
};

Status Parser::ParseLine(const std::vector<std::string>& words) {
  const std::string& keyword = words[0];
  if (!has_format_) return ParseFormat(words);
  if (keyword == "op") return ParseOperation(words);
  if (!seen_.insert(keyword).second)
    return InvalidArgument(Quoted(keyword) + " comes a second time");
  if (keyword == "operations") return ParseCount(words);
  if (keyword == "name") return ParseText(words, table_.name);
  if (keyword == "source") return ParseText(words, table_.source);
  if (keyword == "energy_unit") return ParseUnit(words);
  if (keyword == "energy_fit_error") return ParseFitError(words);
  if (keyword == "overhead") return ParseOverhead(words);
  return InvalidArgument(
      "expected operations, name, source, energy_unit, energy_fit_error, overhead or op, got " +
      Quoted(keyword));
}

Status Parser::ParseFormat(const std::vector<std::string>& words) {
  if (words[0] != kFormatName || words.size() != 2) {
    return DataCorrupt("a cost table must start with '" + std::string(kFormatName) + " 1'");
  }
  if (words[1] != "1") {
    return Status(StatusCode::kVersionMismatch, "the cost table has version " + Quoted(words[1]) +
                                                    ", this program reads version 1");
  }
  has_format_ = true;
  return Status();
}

Status Parser::ParseCount(const std::vector<std::string>& words) {
  std::size_t count = 0;
  if (words.size() == 2) {
    const char* end = words[1].data() + words[1].size();
    const auto [stop, error] = std::from_chars(words[1].data(), end, count);
    if (error == std::errc() && stop == end) {
      num_operations_ = count;
      return Status();
    }
  }
  return InvalidArgument("expected 'operations NUMBER', the number of lines that begin with 'op'");
}

Status Parser::ParseText(const std::vector<std::string>& words, std::string& field) {
  if (words.size() != 2 || words[1].empty()) {
    return InvalidArgument(Quoted(words[0]) + " takes one word, in double quotes if it has spaces");
  }
  field = words[1];
  return Status();
}

Status Parser::ParseOverhead(const std::vector<std::string>& words) {
  const bool has_energy = words.size() == 5 && words[3] == "energy";
  if ((words.size() != 3 && !has_energy) || words[1] != "latency_ns") {
    return InvalidArgument("expected 'overhead latency_ns NUMBER [energy NUMBER]'");
  }
  const Result<double> latency_ns = ParseCost("latency_ns", words[2]);
  if (!latency_ns.ok()) return latency_ns.status();
  table_.overhead_latency_ns = *latency_ns;
  if (!has_energy) return Status();
  const Result<double> energy = ParseCost("energy", words[4]);
  if (!energy.ok()) return energy.status();
  table_.overhead_energy = *energy;
  has_energies_ = true;
  return Status();
}

Status Parser::ParseUnit(const std::vector<std::string>& words) {
  BITPILOT_RETURN_IF_ERROR(ParseText(words, table_.energy_unit));
  if (table_.energy_unit.find("model") != std::string::npos) return Status();
  return InvalidArgument("a table's energies are a model's, and their unit must say so, e.g. " +
                         Quoted("uJ-model") + "; got " + Quoted(table_.energy_unit));
}

Status Parser::ParseFitError(const std::vector<std::string>& words) {
  if (words.size() != 2) return InvalidArgument("expected 'energy_fit_error NUMBER'");
  const Result<double> error = ParseCost("energy_fit_error", words[1]);
  if (error.ok()) table_.energy_fit_error = *error;
  return error.status();
}

Status Parser::ParseOperation(const std::vector<std::string>& words) {
  // op NAME [w W a A] latency_ns L [energy E]
  const bool has_widths = words.size() > 2 && words[2] == "w";
  const std::size_t latency_at = has_widths ? 6 : 2;
  const bool has_energy = words.size() == latency_at + 4;
  if ((!has_energy && words.size() != latency_at + 2) || words[1].empty() ||
      (has_widths && words[4] != "a") || words[latency_at] != "latency_ns" ||
      (has_energy && words[latency_at + 2] != "energy")) {
    return InvalidArgument("expected 'op NAME [w BITS a BITS] latency_ns NUMBER [energy NUMBER]'");
  }
  int weight_bits = 0;
  int activation_bits = 0;
  if (has_widths) {
    const Result<int> w = ParseWidth("w", words[3]);
    const Result<int> a = ParseWidth("a", words[5]);
    if (!w.ok()) return w.status();
    if (!a.ok()) return a.status();
    weight_bits = *w;
    activation_bits = *a;
  }
  const Result<double> latency_ns = ParseCost("latency_ns", words[latency_at + 1]);
  if (!latency_ns.ok()) return latency_ns.status();
  Cost cost;
  cost.latency_ns = *latency_ns;
  if (has_energy) {
    const Result<double> energy = ParseCost("energy", words[latency_at + 3]);
    if (!energy.ok()) return energy.status();
    cost.energy = *energy;
    has_energies_ = true;
  }
  if (table_.operations.emplace(std::tuple(words[1], weight_bits, activation_bits), cost).second) {
    return Status();
  }
  return InvalidArgument("operation " + Quoted(words[1]) + " has these widths a second time");
}

Result<CostTable> Parser::Finish() {
  if (!has_format_) {
    return DataCorrupt("a cost table must start with '" + std::string(kFormatName) +
                       " 1', it is empty");
  }
  for (const char* keyword : {"name", "source"}) {
    if (seen_.count(keyword) == 0)
      return InvalidArgument("the line '" + std::string(keyword) + " ...' is missing");
  }
  if ((has_energies_ || table_.energy_fit_error) && table_.energy_unit.empty()) {
    return InvalidArgument("operations have energies, but the line 'energy_unit ...' is missing");
  }
  if (num_operations_ && *num_operations_ != table_.operations.size()) {
    return DataCorrupt("the line 'operations' announces " + std::to_string(*num_operations_) +
                       " lines that begin with 'op', there are " +
                       std::to_string(table_.operations.size()) +
                       ": write or copy the file again, or correct the number if lines were added "
                       "or removed by hand");
  }
  return std::move(table_);
}

}  // namespace

EnergyTier EnergyTierOf(const CostTable& table) {
  if (table.energy_unit.empty()) return EnergyTier::kNone;
  return table.energy_fit_error ? EnergyTier::kModelFitted : EnergyTier::kModelTable;
}

Result<CostTable> ParseCostTable(std::string_view text) {
  Parser parser;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string where = "line " + std::to_string(number);
    if (end == std::string_view::npos && parser.has_format()) {
      // The number that ends this line may have had more digits.
      return DataCorrupt(where +
                         ": the last line does not end with a newline, so the file may be cut off: "
                         "write or copy it again, or add the newline if it was edited by hand");
    }
    const Result<std::vector<std::string>> words = SplitLine(text.substr(0, end));
    if (!words.ok()) return words.status().WithContext(where);
    if (!words->empty()) BITPILOT_RETURN_IF_ERROR(parser.ParseLine(*words).WithContext(where));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parser.Finish();
}

Result<CostTable> ReadCostTableFile(const std::string& path) {
  const Result<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  Result<CostTable> table = ParseCostTable(*text);
  if (!table.ok()) return table.status().WithContext(path).AsCorruptInput();
  return table;
}

}  // namespace bitpilot
