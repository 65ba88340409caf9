#include "agent/cli/energy_json.h"

#include <nlohmann/json.hpp>
#include <string_view>

namespace bitpilot {
namespace {

constexpr std::string_view kModelSourcePrefix = "MODEL:";

nlohmann::json OrNullIfEmpty(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
}

nlohmann::json OrNull(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

}  // namespace

void AddEnergy(const std::optional<MeasuredEnergy>& energy, const std::optional<EnergyRatio>& ratio,
               const std::string& no_energy_reason, nlohmann::json& object) {
  for (const char* key :
       {"energy_uj", "energy_uncertainty_uj", "energy_net_uj", "energy_net_uncertainty_uj",
        "energy_ratio_int8", "energy_ratio_int8_uncertainty"}) {
    object[key] = nullptr;
  }
  object["energy_tier"] = object["energy_source"] = ToString(EnergyTier::kNone);
  object["no_energy_reason"] = OrNullIfEmpty(no_energy_reason);
  if (energy) {
    object["energy_uj"] = energy->gross().value_uj;
    object["energy_uncertainty_uj"] = energy->gross().uncertainty_uj;
    object["energy_tier"] = ToString(TierOf(energy->sensor()));
    object["energy_source"] = energy->source();
    if (energy->net()) {
      object["energy_net_uj"] = energy->net()->value_uj;
      object["energy_net_uncertainty_uj"] = energy->net()->uncertainty_uj;
    }
  }
  if (ratio) {
    object["energy_ratio_int8"] = ratio->value;
    object["energy_ratio_int8_uncertainty"] = ratio->uncertainty;
  }
}

nlohmann::json ModelEnergyJson(const std::optional<ModelEnergy>& energy,
                               const std::optional<double>& ratio_int8, const std::string& source) {
  if (!energy || !source.starts_with(kModelSourcePrefix)) return nullptr;
  return {{"value", energy->value},
          {"unit", energy->unit},
          {"tier", ToString(energy->tier())},
          {"error", OrNull(energy->relative_error)},
          {"table", source.substr(kModelSourcePrefix.size())},
          {"ratio_int8", OrNull(ratio_int8)}};
}

}  // namespace bitpilot
