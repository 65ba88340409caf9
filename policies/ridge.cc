#include "policies/ridge.h"

#include <cmath>
#include <cstddef>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

// Lower triangle L with L L^T = matrix. REQUIRES: positive definite.
std::vector<std::vector<double>> Cholesky(std::vector<std::vector<double>> matrix) {
  for (std::size_t row = 0; row < matrix.size(); ++row) {
    for (std::size_t column = 0; column <= row; ++column) {
      double sum = matrix[row][column];
      for (std::size_t k = 0; k < column; ++k) {
        sum -= matrix[row][k] * matrix[column][k];
      }
      if (row == column) {
        BITPILOT_CHECK(sum > 0.0);
        matrix[row][row] = std::sqrt(sum);
      } else {
        matrix[row][column] = sum / matrix[column][column];
      }
    }
  }
  return matrix;
}

}  // namespace

double Dot(const SparseFeatures& features, const std::vector<double>& weights) {
  double sum = 0.0;
  for (const auto& [feature, value] : features) {
    sum += value * weights[static_cast<std::size_t>(feature)];
  }
  return sum;
}

RidgePosterior::RidgePosterior(int num_features, std::vector<SparseFeatures> rows,
                               std::vector<double> targets, std::vector<double> noise_variances)
    : num_features_(num_features),
      rows_(std::move(rows)),
      targets_(std::move(targets)),
      noise_variances_(std::move(noise_variances)) {
  const std::size_t count = rows_.size();
  BITPILOT_CHECK(targets_.size() == count && noise_variances_.size() == count);
  std::vector<std::vector<double>> gram(count, std::vector<double>(count, 0.0));
  std::vector<double> dense(static_cast<std::size_t>(num_features_), 0.0);
  for (std::size_t i = 0; i < count; ++i) {
    for (const auto& [feature, value] : rows_[i]) {
      dense[static_cast<std::size_t>(feature)] += value;
    }
    for (std::size_t j = i; j < count; ++j) {
      gram[j][i] = Dot(rows_[j], dense);
    }
    BITPILOT_CHECK(noise_variances_[i] > 0.0);
    gram[i][i] += noise_variances_[i];
    for (const auto& [feature, value] : rows_[i]) {
      dense[static_cast<std::size_t>(feature)] = 0.0;
    }
  }
  cholesky_ = Cholesky(std::move(gram));
}

std::vector<double> RidgePosterior::Project(std::vector<double> residual) const {
  const std::size_t count = residual.size();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      residual[i] -= cholesky_[i][k] * residual[k];
    }
    residual[i] /= cholesky_[i][i];
  }
  for (std::size_t i = count; i-- > 0;) {
    for (std::size_t k = i + 1; k < count; ++k) {
      residual[i] -= cholesky_[k][i] * residual[k];
    }
    residual[i] /= cholesky_[i][i];
  }
  std::vector<double> weights(static_cast<std::size_t>(num_features_), 0.0);
  for (std::size_t i = 0; i < count; ++i) {
    for (const auto& [feature, value] : rows_[i]) {
      weights[static_cast<std::size_t>(feature)] += value * residual[i];
    }
  }
  return weights;
}

std::vector<double> RidgePosterior::Mean() const { return Project(targets_); }

std::vector<double> RidgePosterior::Sample(RandomStream& random) const {
  // A draw from the prior, moved by what the data say about it.
  std::vector<double> draw(static_cast<std::size_t>(num_features_));
  for (double& weight : draw) {
    weight = random.NextNormal();
  }
  std::vector<double> residual = targets_;
  for (std::size_t i = 0; i < residual.size(); ++i) {
    residual[i] -= Dot(rows_[i], draw) + std::sqrt(noise_variances_[i]) * random.NextNormal();
  }
  const std::vector<double> correction = Project(std::move(residual));
  for (std::size_t feature = 0; feature < draw.size(); ++feature) {
    draw[feature] += correction[feature];
  }
  return draw;
}

}  // namespace bitpilot
