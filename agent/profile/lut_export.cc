#include "agent/profile/lut_export.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "kernels/base/check.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

constexpr int kHaqWidths = 8;

std::string Number(double value) {
  std::array<char, 32> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

// Times of one layer: index [weight bits][activation bits], 0 where the profile has none.
using LayerTimes = std::array<std::array<double, kHaqWidths + 1>, kHaqWidths + 1>;

std::map<std::string, LayerTimes> TimesOfLayers(const Lut& lut) {
  std::map<std::string, LayerTimes> times;
  for (const LutEntry& entry : lut.entries) {
    if (entry.weight_bits == 0) continue;
    times.try_emplace(entry.operation, LayerTimes{})
        .first->second[static_cast<std::size_t>(entry.weight_bits)]
                      [static_cast<std::size_t>(entry.activation_bits)] = entry.latency_ns;
  }
  return times;
}

// The pair itself, or the measured one with the fewest extra bits.
double NextWiderNs(const LayerTimes& times, std::size_t weights, std::size_t activations) {
  double best_ns = 0.0;
  std::size_t best_extra = 2 * kHaqWidths;
  for (std::size_t w = weights; w <= kHaqWidths; ++w) {
    for (std::size_t a = activations; a <= kHaqWidths; ++a) {
      const std::size_t extra = (w - weights) + (a - activations);
      if (times[w][a] <= 0.0 || extra >= best_extra) continue;
      best_extra = extra;
      best_ns = times[w][a];
    }
  }
  BITPILOT_CHECK(best_ns > 0.0);
  return best_ns;
}

// Header of a .npy file; its length is a multiple of 64.
std::string NpyHeader(std::size_t layers) {
  std::string description =
      "{'descr': '<i8', 'fortran_order': False, 'shape': (" + std::to_string(layers) + ", 8, 8), }";
  constexpr std::size_t kPrefixBytes = 10;
  while ((kPrefixBytes + description.size() + 1) % 64 != 0) description += ' ';
  description += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(description.size() & 0xFF);
  header += static_cast<char>(description.size() >> 8);
  return header + description;
}

// What Free Bits calls a layer's identity.
using Identity = std::tuple<int, int, int, bool, int, int, int, int, int>;

Identity IdentityOf(const Operation& op, const TensorShape& input, const TensorShape& output) {
  if (op.kind == OperationKind::kFullyConnected)
    return {1, 1, 1, false, 1, 0, 1, static_cast<int>(input.elements()), op.out_channels};
  const bool depthwise = op.groups > 1 && op.groups == input.channels;
  return {op.kernel_h,    input.height, output.height,  depthwise,      op.groups,
          op.padding.top, op.stride_h,  input.channels, op.out_channels};
}

nlohmann::ordered_json FreeBitsRow(const Identity& identity, int in_bits, int w_bits,
                                   double latency_ns) {
  const auto& [kernel, in_size, out_size, depthwise, groups, padding, stride, ch_in, ch_out] =
      identity;
  return {{"kernel", kernel},       {"in_size", in_size}, {"out_size", out_size},
          {"depthwise", depthwise}, {"groups", groups},   {"padding", padding},
          {"stride", stride},       {"ch_in", ch_in},     {"ch_out", ch_out},
          {"in_bits", in_bits},     {"w_bits", w_bits},   {"out_bits", 8},
          {"latency", latency_ns}};
}

// Whether `lut` has every layer of the network, and no other.
Status CheckLayers(const Lut& lut, const Topology& topology) {
  std::set<std::string> names;
  for (const int layer : LayerOperations(topology))
    names.insert(topology.operations[static_cast<std::size_t>(layer)].name);
  std::set<std::string> at_8_bits;
  for (const LutEntry& entry : lut.entries) {
    if (entry.weight_bits == 0) continue;
    if (!names.contains(entry.operation)) {
      return DataCorrupt("the table names a layer " + entry.operation + ", which " + lut.model +
                         " has not");
    }
    if (entry.weight_bits == 8 && entry.activation_bits == 8 && entry.latency_ns > 0.0)
      at_8_bits.insert(entry.operation);
  }
  for (const std::string& name : names) {
    if (!at_8_bits.contains(name))
      return DataCorrupt("the table lacks layer " + name + " at 8 x 8 bits");
  }
  return Status();
}

enum class ExportForm { kUnknown, kLut, kCostTable, kCsv, kHaq, kFreeBits };

ExportForm FormOf(const std::string& path) {
  if (path.ends_with(".free-bits.json")) return ExportForm::kFreeBits;
  if (path.ends_with(".json")) return ExportForm::kLut;
  if (path.ends_with(".cost")) return ExportForm::kCostTable;
  if (path.ends_with(".csv")) return ExportForm::kCsv;
  if (path.ends_with(".npy")) return ExportForm::kHaq;
  return ExportForm::kUnknown;
}

}  // namespace

std::string FormatLutCsv(const Lut& lut) {
  std::string csv =
      "layer,weight_bits,activation_bits,latency_median_ns,latency_low_ns,latency_high_ns,"
      "confidence,samples,kernel,weight_bytes,energy_uj,energy_source\n";
  for (const LutEntry& entry : lut.entries) {
    const bool widths = entry.weight_bits > 0;
    // Names hold neither commas nor quotes (ValidateTopology); kernels are joined by "+".
    csv += entry.operation + "," + (widths ? std::to_string(entry.weight_bits) : "") + "," +
           (widths ? std::to_string(entry.activation_bits) : "") + "," + Number(entry.latency_ns) +
           "," + Number(entry.latency_low_ns) + "," + Number(entry.latency_high_ns) + "," +
           Number(entry.confidence) + "," + std::to_string(entry.samples) + "," + entry.kernel +
           "," + std::to_string(entry.weight_bytes) + "," +
           (entry.energy_uj ? Number(*entry.energy_uj) : "") + "," + entry.energy_source + "\n";
  }
  return csv;
}

std::string FormatHaqTable(const Lut& lut, const Topology& topology) {
  const std::map<std::string, LayerTimes> times = TimesOfLayers(lut);
  const std::vector<int> layers = LayerOperations(topology);
  std::string bytes = NpyHeader(layers.size());
  for (const int layer : layers) {
    const LayerTimes& layer_times =
        times.at(topology.operations[static_cast<std::size_t>(layer)].name);
    for (std::size_t w = 1; w <= kHaqWidths; ++w) {
      for (std::size_t a = 1; a <= kHaqWidths; ++a) {
        const auto ns = static_cast<std::uint64_t>(std::llround(NextWiderNs(layer_times, w, a)));
        for (int shift = 0; shift < 64; shift += 8)
          bytes += static_cast<char>((ns >> shift) & 0xFF);  // little-endian
      }
    }
  }
  return bytes;
}

std::string FormatFreeBitsTable(const Lut& lut, const Topology& topology) {
  const std::vector<TensorShape> shapes = TensorShapes(topology);
  std::map<std::string, Identity> identities;
  for (const int layer : LayerOperations(topology)) {
    const Operation& op = topology.operations[static_cast<std::size_t>(layer)];
    identities[op.name] = IdentityOf(op, shapes[static_cast<std::size_t>(op.input)],
                                     shapes[static_cast<std::size_t>(layer) + 1]);
  }
  std::map<std::tuple<Identity, int, int>, std::pair<double, int>> sums;  // of times; count
  for (const LutEntry& entry : lut.entries) {
    if (entry.weight_bits == 0) continue;
    auto& [sum_ns, count] =
        sums[{identities.at(entry.operation), entry.activation_bits, entry.weight_bits}];
    sum_ns += entry.latency_ns;
    ++count;
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  double max_latency_ns = 0.0;
  for (const auto& [key, sum] : sums) {
    const auto& [identity, in_bits, w_bits] = key;
    const double latency_ns = sum.first / sum.second;
    max_latency_ns = std::max(max_latency_ns, latency_ns);
    rows.push_back(FreeBitsRow(identity, in_bits, w_bits, latency_ns));
  }
  const nlohmann::ordered_json table = {
      {"latency_unit", "ns"}, {"max_latency", max_latency_ns}, {"rows", std::move(rows)}};
  return table.dump(1) + "\n";
}

Status CheckExportPath(const std::string& path) {
  if (FormOf(path) != ExportForm::kUnknown) return Status();
  return InvalidArgument("--export " + path +
                         ": expected a name that ends with .json, .cost, .csv, .npy (HAQ) "
                         "or .free-bits.json");
}

Status ExportLut(const Lut& lut, const Topology& topology, const std::string& path) {
  BITPILOT_RETURN_IF_ERROR(CheckExportPath(path));
  BITPILOT_RETURN_IF_ERROR(CheckLayers(lut, topology));
  switch (FormOf(path)) {
    case ExportForm::kCostTable:
      return WriteFileAtomically(path, FormatCostTable(ToCostTable(lut)));
    case ExportForm::kCsv:
      return WriteFileAtomically(path, FormatLutCsv(lut));
    case ExportForm::kHaq:
      return WriteFileAtomically(path, FormatHaqTable(lut, topology));
    case ExportForm::kFreeBits:
      return WriteFileAtomically(path, FormatFreeBitsTable(lut, topology));
    default:
      return WriteFileAtomically(path, FormatLut(lut));
  }
}

}  // namespace bitpilot
