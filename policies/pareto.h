// Pareto fronts and hypervolumes, all objectives minimized.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace bitpilot {

struct Objectives {
  double error_rate = 0.0;     // 1 - accuracy, in [0, 1]
  double latency_ratio = 0.0;  // latency / latency of uniform 8 bit
  double energy_ratio = 0.0;   // energy / energy of uniform 8 bit; 0 where it is no objective
  friend bool operator==(const Objectives&, const Objectives&) = default;
};

// Where hypervolumes are bounded: half of all images wrong, 1.5 times the latency and energy of
// uniform 8 bit.
inline constexpr Objectives kHypervolumeReference{0.5, 1.5, 1.5};

// True if `a` is no worse than `b` in all objectives and better in one.
bool Dominates(const Objectives& a, const Objectives& b);

// Indices of the points that no other point dominates, by ascending latency; of equal points the
// first one. O(n log n) without energies, else n times the size of the front.
std::vector<std::size_t> ParetoFront(std::span<const Objectives> points);

// ParetoFront() of points that come one by one.
class GrowingFront {
 public:
  // index: of the point, ascending. True if it is on the front now. Takes as long as the front is.
  bool Add(std::size_t index, const Objectives& point);

  // Parallel, by ascending index.
  const std::vector<std::size_t>& indices() const { return indices_; }
  const std::vector<Objectives>& points() const { return points_; }

 private:
  std::vector<std::size_t> indices_;
  std::vector<Objectives> points_;
};

// Whatever their energies: area dominated by `points` and bounded by `reference`, in error rate x
// latency ratio. Points outside the reference box count as 0.
//
// Source: Zitzler and Thiele, "Multiobjective Optimization Using Evolutionary Algorithms - A
// Comparative Case Study", PPSN 1998.
double Hypervolume(std::span<const Objectives> points,
                   const Objectives& reference = kHypervolumeReference);

// Volume dominated by `points` and bounded by `reference`, in error rate x latency ratio x energy
// ratio. O(n^2 log n).
double EnergyHypervolume(std::span<const Objectives> points,
                         const Objectives& reference = kHypervolumeReference);

}  // namespace bitpilot
