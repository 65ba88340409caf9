#include "agent/profile/profile_data.h"

#include <nlohmann/json.hpp>

#include "agent/profile/board_json.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr char kFormat[] = "bitpilot-profile-unfinished";
constexpr int kVersion = 2;
constexpr char kChecksum[] = "sha256";

Json SampleToJson(const ProfileSample& sample) {
  return {{"latency_ns", sample.latency_ns}, {"cpu_ns", sample.cpu_ns},
          {"ratio", sample.ratio},           {"ratio_low", sample.ratio_low},
          {"ratio_high", sample.ratio_high}, {"operation_ns", sample.operation_ns},
          {"kernels", sample.kernels}};
}

ProfileSample SampleFromJson(const Json& json) {
  ProfileSample sample;
  json.at("latency_ns").get_to(sample.latency_ns);
  json.at("cpu_ns").get_to(sample.cpu_ns);
  json.at("ratio").get_to(sample.ratio);
  json.at("ratio_low").get_to(sample.ratio_low);
  json.at("ratio_high").get_to(sample.ratio_high);
  json.at("operation_ns").get_to(sample.operation_ns);
  json.at("kernels").get_to(sample.kernels);
  return sample;
}

// Of everything but the checksum itself. Keys are sorted and numbers in their shortest form, so that
// equal content has equal text.
std::string Checksum(Json json) {
  json.erase(kChecksum);
  return Sha256Hex(json.dump());
}

}  // namespace

double ProfileData::board_seconds(std::size_t first) const {
  double seconds = 0.0;
  for (std::size_t i = first; i < results.size(); ++i) seconds += results[i].board_seconds;
  return seconds;
}

Json ToJson(const ProfileData& data) {
  Json results = Json::array();
  for (const ProfileJobResult& result : data.results) {
    Json samples = Json::array();
    for (const ProfileSample& sample : result.samples) samples.push_back(SampleToJson(sample));
    results.push_back({{"noisy", result.noisy},
                       {"board_seconds", result.board_seconds},
                       {"uniform8", SampleToJson(result.uniform8)},
                       {"samples", std::move(samples)}});
  }
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"model", data.settings.model},
               {"bits", data.settings.bits},
               {"quick", data.settings.quick},
               {"bounded", data.settings.bounded},
               {"board", BoardToJson(data.board)},
               {"source", data.source},
               {"results", std::move(results)}};
  json[kChecksum] = Checksum(json);
  return json;
}

Result<ProfileData> ProfileDataFromJson(const Json& json) {
  if (!json.is_object() || !json.contains("format") || json.at("format") != kFormat) {
    return DataCorrupt(std::string("expected an object with \"format\":\"") + kFormat + "\"");
  }
  try {
    if (const int version = json.at("version").get<int>(); version != kVersion) {
      return Status(StatusCode::kVersionMismatch, "expected version " + std::to_string(kVersion) +
                                                      ", got " + std::to_string(version));
    }
    if (json.at(kChecksum).get<std::string>() != Checksum(json)) {
      return DataCorrupt("its content is not what was written: the checksum differs");
    }
    ProfileData data;
    json.at("model").get_to(data.settings.model);
    json.at("bits").get_to(data.settings.bits);
    json.at("quick").get_to(data.settings.quick);
    json.at("bounded").get_to(data.settings.bounded);
    data.board = BoardFromJson(json.at("board"));
    json.at("source").get_to(data.source);
    for (const Json& entry : json.at("results")) {
      ProfileJobResult result;
      entry.at("noisy").get_to(result.noisy);
      entry.at("board_seconds").get_to(result.board_seconds);
      result.uniform8 = SampleFromJson(entry.at("uniform8"));
      for (const Json& sample : entry.at("samples"))
        result.samples.push_back(SampleFromJson(sample));
      data.results.push_back(std::move(result));
    }
    data.kept = data.results.size();
    return data;
  } catch (const Json::exception& error) {
    return DataCorrupt(error.what());
  }
}

Status CheckContinues(const ProfileData& data, const ProfileSettings& settings,
                      const BoardInfo& board, const std::string& path) {
  const std::string remedy = "; remove " + path + " to begin anew";
  if (data.settings != settings) {
    return InvalidArgument(path +
                           " was begun with another --model, --bits or --quick: give the same ones "
                           "to go on" +
                           remedy);
  }
  const auto compare = [&](const std::string& what, const std::string& was, const std::string& is) {
    if (was == is) return Status();
    return Status(StatusCode::kVersionMismatch,
                  path + " was begun with " + what + " \"" + was + "\", the board now has \"" + is +
                      "\": their times cannot be in one table" + remedy);
  };
  BITPILOT_RETURN_IF_ERROR(compare("CPU", data.board.cpu_model, board.cpu_model));
  if (!data.board.core.empty()) {
    BITPILOT_RETURN_IF_ERROR(compare("core", data.board.core, board.core));
  }
  BITPILOT_RETURN_IF_ERROR(compare("instruction set", data.board.isa, board.isa));
  BITPILOT_RETURN_IF_ERROR(compare("backend", data.board.backend, board.backend));
  BITPILOT_RETURN_IF_ERROR(compare("kernel build", data.board.kernel_build, board.kernel_build));
  return compare("daemon build", data.board.daemon_build, board.daemon_build);
}

}  // namespace bitpilot
