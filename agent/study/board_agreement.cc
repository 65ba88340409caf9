#include "agent/study/board_agreement.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/base/window_statistics.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

// Standard deviation of a normal distribution over its median absolute deviation.
constexpr double kDeviationOverMad = 1.4826;
// Standard error of a median over that of a mean: sqrt(pi / 2).
constexpr double kMedianOverMean = 1.2533141373155003;

// Of the median of `values`. Not moved by a few rounds that were interrupted.
double MedianError(const std::vector<double>& values, double median) {
  std::vector<double> distances;
  distances.reserve(values.size());
  for (const double value : values) distances.push_back(std::abs(value - median));
  return kMedianOverMean * kDeviationOverMad * Median(distances) /
         std::sqrt(static_cast<double>(values.size()));
}

double MeanOf(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// The mean of a board's measurements.
NetworkShape MeanShape(const std::vector<NetworkShape>& measured) {
  NetworkShape mean = measured.front();
  const auto count = static_cast<double>(measured.size());
  for (std::size_t k = 0; k < mean.shape.size(); ++k) {
    double sum = 0.0;
    double squares = 0.0;
    for (const NetworkShape& one : measured) {
      BITPILOT_CHECK(one.shape.size() == mean.shape.size());
      sum += one.shape[k];
      squares += one.shape_error[k] * one.shape_error[k];
    }
    mean.shape[k] = sum / count;
    mean.shape_error[k] = std::sqrt(squares) / count;
  }
  double level = 0.0;
  for (const NetworkShape& one : measured) level += one.level;
  mean.level = level / count;
  return mean;
}

// Among themselves: the index of the board that most agree with.
std::optional<std::size_t> CentreOf(const std::vector<BoardShapes>& boards) {
  std::optional<std::size_t> centre;
  int most = 0;
  double nearest = 0.0;
  for (std::size_t i = 0; i < boards.size(); ++i) {
    if (boards[i].measured.empty()) continue;
    int close = 0;
    double sum = 0.0;
    for (const BoardShapes& other : boards) {
      if (other.measured.empty()) continue;
      const BoardAgreement agreement = CompareBoards(other, boards[i]);
      if (!agreement.is_close()) continue;
      ++close;
      sum += agreement.residual;
    }
    if (!centre || close > most || (close == most && sum < nearest)) {
      centre = i;
      most = close;
      nearest = sum;
    }
  }
  return centre;
}

ClassVerdict CompareWith(const BoardShapes& reference, const std::vector<BoardShapes>& boards) {
  ClassVerdict verdict;
  verdict.reference = reference.board;
  for (const BoardShapes& board : boards) {
    BoardVerdict& one = verdict.boards.emplace_back();
    one.board = board.board;
    if (board.measured.empty()) continue;
    one.agreement = CompareBoards(board, reference);
    one.is_pooled = one.agreement->is_close();
  }
  return verdict;
}

bool PoolsAny(const ClassVerdict& verdict) {
  return std::any_of(verdict.boards.begin(), verdict.boards.end(),
                     [](const BoardVerdict& one) { return one.is_pooled; });
}

}  // namespace

NetworkShape ShapeOf(const std::vector<std::vector<double>>& latency_ns) {
  BITPILOT_CHECK(!latency_ns.empty());
  std::size_t rounds = latency_ns.front().size();
  for (const std::vector<double>& network : latency_ns) rounds = std::min(rounds, network.size());
  BITPILOT_CHECK(rounds > 0);
  std::vector<std::vector<double>> logarithms(latency_ns.size(), std::vector<double>(rounds));
  std::vector<double> levels(rounds, 0.0);
  for (std::size_t k = 0; k < latency_ns.size(); ++k) {
    for (std::size_t round = 0; round < rounds; ++round) {
      BITPILOT_CHECK(latency_ns[k][round] > 0.0);
      logarithms[k][round] = PlainLog(latency_ns[k][round]);
      levels[round] += logarithms[k][round] / static_cast<double>(latency_ns.size());
    }
  }
  NetworkShape result;
  result.level = Median(levels);
  for (std::vector<double>& network : logarithms) {
    for (std::size_t round = 0; round < rounds; ++round) network[round] -= levels[round];
    result.shape.push_back(Median(network));
    result.shape_error.push_back(MedianError(network, result.shape.back()));
  }
  return result;
}

BoardAgreement CompareBoards(const BoardShapes& board, const BoardShapes& reference) {
  BITPILOT_CHECK(!board.measured.empty() && !reference.measured.empty());
  const NetworkShape here = MeanShape(board.measured);
  const NetworkShape there = MeanShape(reference.measured);
  BITPILOT_CHECK(here.shape.size() == there.shape.size());
  BoardAgreement agreement;
  agreement.factor = PlainExp(here.level - there.level);
  std::vector<double> differences;
  for (std::size_t k = 0; k < here.shape.size(); ++k) {
    differences.push_back(here.shape[k] - there.shape[k]);
  }
  // Medians of a round's deviations from its mean need not add up to nothing.
  const double mean = MeanOf(differences);
  double squares = 0.0;
  double noise_squares = 0.0;
  double worst = -1.0;
  for (std::size_t k = 0; k < differences.size(); ++k) {
    squares += (differences[k] - mean) * (differences[k] - mean);
    noise_squares +=
        here.shape_error[k] * here.shape_error[k] + there.shape_error[k] * there.shape_error[k];
    const double of_ratio = std::abs(differences[k] - differences[0]);
    if (of_ratio <= worst) continue;
    worst = of_ratio;
    agreement.worst_network = static_cast<int>(k);
    agreement.expected_ratio = PlainExp(there.shape[k] - there.shape[0]);
    agreement.ratio = PlainExp(here.shape[k] - here.shape[0]);
  }
  if (differences.size() < 2) return agreement;
  const auto degrees_of_freedom = static_cast<double>(differences.size() - 1);
  agreement.residual = std::sqrt(squares / degrees_of_freedom);
  agreement.noise = std::sqrt(noise_squares / degrees_of_freedom);
  return agreement;
}

ClassVerdict JudgeBoards(const std::vector<BoardShapes>& boards,
                         const std::optional<BoardShapes>& standing) {
  BITPILOT_CHECK(!boards.empty());
  const bool may_compare = standing && !standing->measured.empty();
  if (may_compare) {
    ClassVerdict verdict = CompareWith(*standing, boards);
    if (PoolsAny(verdict)) return verdict;
  }
  const std::optional<std::size_t> centre = CentreOf(boards);
  ClassVerdict verdict = CompareWith(boards[centre.value_or(0)], boards);
  verdict.is_last_resort = may_compare || !centre;
  if (!centre) verdict.boards.front().is_pooled = true;
  return verdict;
}

std::vector<std::size_t> BoardsToRepeat(const std::vector<BoardShapes>& boards,
                                        const std::optional<BoardShapes>& standing) {
  std::vector<std::size_t> again;
  const std::optional<std::size_t> centre = CentreOf(boards);
  if (!centre) return again;
  const bool may_compare = standing && !standing->measured.empty();
  const BoardShapes& reference = may_compare ? *standing : boards[*centre];
  const auto may_repeat = [](const BoardShapes& board) {
    return !board.measured.empty() && board.measured.size() < std::size_t{kMaxCalibrations};
  };
  for (std::size_t i = 0; i < boards.size(); ++i) {
    if (boards[i].board == reference.board || !may_repeat(boards[i])) continue;
    if (!CompareBoards(boards[i], reference).is_close()) again.push_back(i);
  }
  if (again.empty()) return again;
  for (std::size_t i = 0; i < boards.size(); ++i) {
    if (boards[i].board == reference.board && may_repeat(boards[i])) again.push_back(i);
  }
  std::sort(again.begin(), again.end());
  return again;
}

}  // namespace bitpilot
