#include "policies/pareto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "policies/random_stream.h"

namespace bitpilot {
namespace {

TEST(DominatesTest, NeedsOneObjectiveToBeBetterAndNoneWorse) {
  EXPECT_TRUE(Dominates({0.1, 0.5}, {0.2, 0.5}));
  EXPECT_TRUE(Dominates({0.1, 0.4}, {0.1, 0.5}));
  EXPECT_FALSE(Dominates({0.1, 0.5}, {0.1, 0.5}));
  EXPECT_FALSE(Dominates({0.1, 0.6}, {0.2, 0.5}));
}

TEST(ParetoFrontTest, KeepsWhatNothingDominatesByAscendingLatency) {
  const std::vector<Objectives> points = {{0.10, 1.0}, {0.30, 0.5},
                                          {0.20, 0.7}, {0.20, 0.8},  // the last one is dominated
                                          {0.30, 0.5},               // equal to the second
                                          {0.40, 0.5}};              // as fast, worse
  EXPECT_EQ(ParetoFront(points), (std::vector<std::size_t>{1, 2, 0}));
}

TEST(ParetoFrontTest, OfNothingIsEmpty) { EXPECT_TRUE(ParetoFront({}).empty()); }

// Two rectangles below the corner (0.5, 1.5): the fast point's 0.9 x 0.2 and, below its error rate
// of 0.3, the accurate point's 0.5 x 0.2.
TEST(HypervolumeTest, EqualsTheAreaComputedByHand) {
  const std::vector<Objectives> points = {{0.1, 1.0}, {0.3, 0.6}};
  EXPECT_DOUBLE_EQ(Hypervolume(points), 0.9 * 0.2 + 0.5 * 0.2);
}

TEST(HypervolumeTest, IgnoresDominatedAndRepeatedPoints) {
  const std::vector<Objectives> front = {{0.1, 1.0}, {0.3, 0.6}};
  const std::vector<Objectives> more = {
      {0.1, 1.0}, {0.35, 0.9}, {0.3, 0.6}, {0.3, 0.6}, {0.1, 1.2}};
  EXPECT_DOUBLE_EQ(Hypervolume(more), Hypervolume(front));
}

TEST(HypervolumeTest, CountsPointsOutsideTheReferenceBoxAsNothing) {
  const std::vector<Objectives> outside = {{0.5, 0.1}, {0.9, 0.1}, {0.0, 1.5}, {0.1, 2.0}};
  EXPECT_EQ(Hypervolume(outside), 0.0);
  EXPECT_EQ(Hypervolume({}), 0.0);
  // A collapsed but fast network must not hide the good one behind it.
  const std::vector<Objectives> mixed = {{0.9, 0.1}, {0.1, 1.0}};
  EXPECT_DOUBLE_EQ(Hypervolume(mixed), 0.5 * 0.4);
}

TEST(DominatesTest, CountsEnergyToo) {
  EXPECT_TRUE(Dominates({0.1, 0.5, 0.6}, {0.1, 0.5, 0.7}));
  EXPECT_FALSE(Dominates({0.1, 0.4, 0.8}, {0.1, 0.5, 0.7}));
}

TEST(ParetoFrontTest, KeepsTheSlowerOneThatNeedsLessEnergy) {
  const std::vector<Objectives> points = {{0.1, 0.5, 0.9},
                                          {0.1, 0.6, 0.7},   // slower, thriftier
                                          {0.1, 0.6, 0.8},   // dominated by the one before
                                          {0.2, 0.5, 0.95},  // dominated by the first
                                          {0.05, 1.0, 1.0}};
  EXPECT_EQ(ParetoFront(points), (std::vector<std::size_t>{0, 1, 4}));
}

// Between the energies 0.5 and 1.0 only the first point counts, with its area of 0.4 x 0.5; from
// there to 1.5 both do, with 0.9 x 0.2 + 0.5 x 0.2.
TEST(EnergyHypervolumeTest, EqualsTheVolumeComputedByHand) {
  const std::vector<Objectives> points = {{0.1, 1.0, 0.5}, {0.3, 0.6, 1.0}};
  EXPECT_NEAR(EnergyHypervolume(points), 0.5 * 0.2 + 0.5 * 0.28, 1e-15);
}

TEST(EnergyHypervolumeTest, CountsPointsOutsideTheReferenceBoxAsNothing) {
  EXPECT_EQ(EnergyHypervolume({}), 0.0);
  const std::vector<Objectives> outside = {{0.1, 0.5, 1.5}, {0.5, 0.5, 0.5}, {0.1, 1.6, 0.5}};
  EXPECT_EQ(EnergyHypervolume(outside), 0.0);
}

// Points on a lattice dominate whole cells of it, which can be counted.
TEST(EnergyHypervolumeTest, EqualsTheNumberOfDominatedCells) {
  RandomStream random(1, "cells");
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<Objectives> points;
    for (int i = random.NextIndex(12); i >= 0; --i) {
      points.push_back({static_cast<double>(random.NextIndex(8)),
                        static_cast<double>(random.NextIndex(8)),
                        static_cast<double>(random.NextIndex(8))});
    }
    int cells = 0;
    for (int cell = 0; cell < 7 * 7 * 7; ++cell) {
      const Objectives corner{static_cast<double>(cell % 7), static_cast<double>(cell / 7 % 7),
                              static_cast<double>(cell / 49)};
      cells += std::any_of(points.begin(), points.end(), [&](const Objectives& point) {
        return point == corner || Dominates(point, corner);
      });
    }
    EXPECT_DOUBLE_EQ(EnergyHypervolume(points, {7.0, 7.0, 7.0}), cells);
  }
}

// On a lattice, where many points are equal or tied in one objective.
TEST(GrowingFrontTest, HoldsTheFrontOfAllPointsSoFarAndNoMore) {
  RandomStream random(1, "points");
  for (const int energies : {1, 6}) {
    std::vector<Objectives> points;
    GrowingFront growing;
    for (std::size_t i = 0; i < 1000; ++i) {
      points.push_back({0.1 * random.NextIndex(10), 0.1 * random.NextIndex(10),
                        0.1 * random.NextIndex(energies)});
      const bool is_on_it = growing.Add(i, points.back());
      std::vector<std::size_t> front = ParetoFront(points);
      std::sort(front.begin(), front.end());
      ASSERT_EQ(growing.indices(), front) << i;
      EXPECT_EQ(is_on_it, front.back() == i);
    }
    EXPECT_LE(growing.points().size(), 10U * static_cast<std::size_t>(energies));
  }
}

}  // namespace
}  // namespace bitpilot
