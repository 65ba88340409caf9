#include "experiments/reliability/aa/aa_record.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <nlohmann/json.hpp>

#include "kernels/base/text_file.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

Status Append(const std::string& file, const Json& line) {
  std::ofstream out(file, std::ios::app | std::ios::binary);
  out << line.dump() << '\n' << std::flush;
  if (out) return {};
  return Status(StatusCode::kInternal, file + ": cannot be written: " + std::strerror(errno));
}

AaSetup ToSetup(const Json& line) {
  return {line.at("machine"), line.at("block"), line.at("extra"), line.at("long"),
          line.value("comparisons", 100)};
}

AaComparison ToComparison(const Json& line) {
  return {line.at("same_told_apart"),
          line.at("verdict"),
          line.at("same_ratio"),
          line.at("ratio"),
          line.at("ratio_low"),
          line.at("ratio_high"),
          line.at("smallest_difference").is_null()
              ? std::nullopt
              : std::optional<double>(line.at("smallest_difference").get<double>()),
          line.at("noisy_blocks"),
          line.at("seconds")};
}

}  // namespace

std::string MachineOf(const BoardInfo& board) {
  return board.cpu_model + ", " + board.isa + ", kernels " + board.kernel_build;
}

AaComparison ToComparison(const VersusBlocks& blocks, double seconds) {
  const VersusVerdict verdict = JudgeTimes(blocks);
  AaComparison comparison;
  comparison.same_told_apart = !verdict.speed;
  comparison.verdict = verdict.speed ? std::string(ToString(*verdict.speed)) : "";
  comparison.same_ratio = verdict.same.ratio();
  comparison.ratio = verdict.different.ratio();
  comparison.low = verdict.different.low;
  comparison.high = verdict.different.high;
  comparison.smallest_difference = verdict.smallest_difference;
  for (const std::vector<VersusBlock>* kind : {&blocks.same, &blocks.different}) {
    for (const VersusBlock& block : *kind) comparison.noisy_blocks += !block.disturbance.empty();
  }
  comparison.seconds = seconds;
  return comparison;
}

Result<AaRecord> ReadRecord(const std::string& file) {
  Result<std::string> text = ReadTextFile(file);
  if (!text.ok()) return text.status();
  const std::size_t end = text->rfind('\n');
  const std::size_t whole = end == std::string::npos ? 0 : end + 1;
  if (whole < text->size()) {
    std::error_code error;
    std::filesystem::resize_file(file, whole, error);
    if (error) return Status(StatusCode::kInternal, file + ": " + error.message());
    text->resize(whole);
  }
  AaRecord record;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text->size();) {
    const std::size_t line_end = text->find('\n', begin);
    const Json line = Json::parse(text->substr(begin, line_end - begin), nullptr,
                                  /*allow_exceptions=*/false);
    begin = line_end + 1;
    try {
      if (++number == 1) {
        record.setup = ToSetup(line);
      } else {
        record.comparisons.push_back(ToComparison(line));
      }
    } catch (const Json::exception& error) {
      return DataCorrupt(file + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  if (number == 0) return Status(StatusCode::kNotFound, file + " is empty");
  return record;
}

Status BeginRecord(const std::string& file, const AaSetup& setup) {
  return Append(file, {{"machine", setup.machine},
                       {"block", setup.block},
                       {"extra", setup.extra},
                       {"long", setup.is_long},
                       {"comparisons", setup.comparisons}});
}

Status AddToRecord(const std::string& file, const AaComparison& comparison) {
  return Append(file, {{"same_told_apart", comparison.same_told_apart},
                       {"verdict", comparison.verdict},
                       {"same_ratio", comparison.same_ratio},
                       {"ratio", comparison.ratio},
                       {"ratio_low", comparison.low},
                       {"ratio_high", comparison.high},
                       {"smallest_difference", comparison.smallest_difference
                                                   ? Json(*comparison.smallest_difference)
                                                   : Json(nullptr)},
                       {"noisy_blocks", comparison.noisy_blocks},
                       {"seconds", comparison.seconds}});
}

}  // namespace bitpilot
