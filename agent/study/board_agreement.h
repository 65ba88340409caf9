// Board agreement: whether boards of one class give networks the same ratios, by what each of them measured
// of the same reference networks in interleaved rounds. Pure: no clocks, boards or files.
//
// A search learns from ratios to uniform 8 bit. A board that is slower by one factor, whatever runs, gives
// the same ratios: it may stand for its class, and the factor is known. One on which some networks are
// slower than others, beside another board, would bring ratios of its own: it is left out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace bitpilot {

// Boards agree if the coefficient of variation, over the reference networks, of the one's latencies as
// multiples of the other's is at most this ...
inline constexpr double kMaxResidual = 0.01;
// ... and no network's ratio to uniform 8 bit, as a multiple of that on the other board, is further from 1. One
// network alone hardly moves a standard deviation: uniform 8 bit could be 2.8 % off, and every ratio with it.
inline constexpr double kMaxRatioDifference = 0.02;

// Measurements of a board's reference networks at most: one that does not agree is measured again, and
// their means are compared.
inline constexpr int kMaxCalibrations = 3;

// One measurement of the reference networks, of which the first is uniform 8 bit.
struct NetworkShape {
  // By network: median over the rounds of the logarithm of its latency less the round's mean logarithm.
  // What slows down a whole round, and the board's own speed, are not in it.
  std::vector<double> shape;
  std::vector<double> shape_error;  // its standard error, by how much the rounds scatter
  double level = 0.0;  // median over the rounds of the mean logarithm of latencies in ns
};

// latency_ns: [network][round]; rounds beyond the shortest list are ignored.
//
// REQUIRES: at least one network and one round; all are positive.
NetworkShape ShapeOf(const std::vector<std::vector<double>>& latency_ns);

// A board with its measurements, each of the same networks.
struct BoardShapes {
  std::string board;                   // its name in the fleet
  std::vector<NetworkShape> measured;  // empty: it could not measure them
};

// A board beside the reference board.
struct BoardAgreement {
  double factor = 1.0;    // how many times its latency is the reference board's: geometric mean
  double residual = 0.0;  // coefficient of variation of that over the networks
  double noise = 0.0;     // what the residual of equal boards would be, by how much both scatter
  // The network, by number, whose ratio to uniform 8 bit differs most, and that ratio on the reference
  // board and here.
  int worst_network = 0;
  double expected_ratio = 1.0;
  double ratio = 1.0;

  // How far that ratio is from what was expected, as a share of it.
  double ratio_difference() const {
    return (ratio > expected_ratio ? ratio / expected_ratio : expected_ratio / ratio) - 1.0;
  }
  bool is_close() const {
    return residual <= kMaxResidual && ratio_difference() <= kMaxRatioDifference;
  }
  friend bool operator==(const BoardAgreement&, const BoardAgreement&) = default;
};

// REQUIRES: both have measurements, of as many networks.
BoardAgreement CompareBoards(const BoardShapes& board, const BoardShapes& reference);

struct BoardVerdict {
  std::string board;
  bool is_pooled = false;
  std::optional<BoardAgreement> agreement;  // nothing: it could not measure the networks

  friend bool operator==(const BoardVerdict&, const BoardVerdict&) = default;
};

struct ClassVerdict {
  std::string reference;  // what the boards were compared with
  // No board that is there agrees with the class: it goes on with what there is.
  bool is_last_resort = false;
  std::vector<BoardVerdict> boards;  // in the order of those judged

  friend bool operator==(const ClassVerdict&, const ClassVerdict&) = default;
};

// Which of `boards` measure for the class.
//
// standing: the board that the class was compared with before; it need not be among `boards`. Nothing at
// first: then the reference is the board that most others agree with, of several such the one that they
// are nearest to, the first of equal ones. If no board agrees with `standing`, the same is done among
// `boards`, as a last resort; if none could measure the networks, the first one is left.
//
// REQUIRES: `boards` is not empty; all measured as many networks.
ClassVerdict JudgeBoards(const std::vector<BoardShapes>& boards,
                         const std::optional<BoardShapes>& standing);

// Which of `boards`, by index, are to be measured again before they are judged: those that do not agree
// with the reference, and the reference if it is among them, as long as they have been measured less than
// kMaxCalibrations times. Empty if all agree.
//
// REQUIRES: as JudgeBoards().
std::vector<std::size_t> BoardsToRepeat(const std::vector<BoardShapes>& boards,
                                        const std::optional<BoardShapes>& standing);

}  // namespace bitpilot
