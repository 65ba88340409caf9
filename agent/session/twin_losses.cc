#include "agent/session/twin_losses.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include "agent/qat/loss_summary.h"
#include "kernels/base/byte_stream.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

// Of a mean of losses that were rounded to float, each by a share of 6e-8 at most.
constexpr double kRounding = 1e-6;

double MeanOf(const std::vector<float>& losses) {
  if (losses.empty()) return 0.0;
  return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
}

}  // namespace

void TwinLosses::Add(int batches, std::vector<float> losses) {
  BITPILOT_CHECK(readings_.empty() || (batches >= readings_.back().batches &&
                                       losses.size() == readings_.back().losses.size()));
  readings_.push_back({batches, std::move(losses)});
}

int TwinLosses::num_images() const {
  return readings_.empty() ? 0 : static_cast<int>(readings_.front().losses.size());
}

std::vector<double> TwinLosses::At(double depth) const {
  BITPILOT_CHECK(!empty());
  std::size_t after = 0;
  while (after < readings_.size() && depth >= readings_[after].batches) ++after;
  const Reading& first = readings_[after == 0 ? 0 : after - 1];
  const Reading& second = readings_[after == readings_.size() ? after - 1 : after];
  const int apart = second.batches - first.batches;
  const double share = apart == 0 ? 0.0 : (depth - first.batches) / apart;
  std::vector<double> twin;
  twin.reserve(first.losses.size());
  for (std::size_t i = 0; i < first.losses.size(); ++i) {
    twin.push_back((1.0 - share) * first.losses[i] + share * second.losses[i]);
  }
  return twin;
}

double TwinLosses::ExcessError(std::span<const float> losses, double depth) const {
  return ChargeError(losses, losses, /*twin_share=*/1.0, depth);
}

double TwinLosses::ChargeError(std::span<const float> losses, std::span<const float> same_weights,
                               double twin_share, double depth) const {
  BITPILOT_CHECK(std::ssize(losses) == num_images() && same_weights.size() == losses.size());
  std::vector<double> differences = At(depth);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const double baseline = (1.0 - twin_share) * same_weights[i] + twin_share * differences[i];
    differences[i] = losses[i] - baseline;
  }
  return StandardErrorOfMean(differences);
}

bool TwinLosses::AreOf(const Anchor& anchor) const {
  return std::equal(readings_.begin(), readings_.end(), anchor.readings.begin(),
                    anchor.readings.end(), [](const Reading& losses, const AnchorReading& reading) {
                      return losses.batches == reading.batches &&
                             std::abs(MeanOf(losses.losses) - reading.loss) <=
                                 kRounding * std::max(1.0, std::abs(reading.loss));
                    });
}

std::string TwinLosses::Serialize() const {
  ByteWriter writer;
  writer.I32(static_cast<int>(readings_.size()));
  writer.I32(num_images());
  for (const Reading& reading : readings_) {
    writer.I32(reading.batches);
    for (const float loss : reading.losses) writer.F32(loss);
  }
  return std::move(writer.bytes());
}

Result<TwinLosses> TwinLosses::Parse(std::string_view bytes) {
  const Status damaged = DataCorrupt("expected the twin's losses on every validation image, got " +
                                     std::to_string(bytes.size()) + " other bytes");
  constexpr std::size_t kFieldBytes = 4;
  ByteReader reader(bytes);
  const int num_readings = reader.I32();
  const int num_images = reader.I32();
  if (!reader.ok() || num_readings < 0 || num_images < 0) return damaged;
  const std::size_t reading_bytes = kFieldBytes * (1 + static_cast<std::size_t>(num_images));
  if (reader.remaining() % reading_bytes != 0 ||
      reader.remaining() / reading_bytes != static_cast<std::size_t>(num_readings)) {
    return damaged;
  }
  TwinLosses twin;
  for (int i = 0; i < num_readings; ++i) {
    const int batches = reader.I32();
    if (!twin.empty() && batches < twin.readings_.back().batches) return damaged;
    std::vector<float> losses(static_cast<std::size_t>(num_images));
    for (float& loss : losses) {
      loss = reader.F32();
      if (!std::isfinite(loss)) return damaged;
    }
    twin.Add(batches, std::move(losses));
  }
  return twin;
}

}  // namespace bitpilot
