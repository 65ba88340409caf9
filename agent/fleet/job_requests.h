// What the agent asks of a board, checked and complete before anything is sent.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "agent/fleet/board.h"
#include "agent/fleet/fleet_job.h"
#include "agent/fleet/golden_logits.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Logits of `images`.
//
// Errors:
//   kInvalidArgument    the network is not valid, or `images` is not a positive number of images.
//   kResourceExhausted  the network file is larger than boards take.
Result<JobRequest> MakeInferRequest(const Network& network, std::span<const std::uint8_t> images);

// A measurement with the logits of one seeded image, which the board must reproduce bit for bit before it
// times anything.
//
// measure_id: 16 bytes. golden: computes the logits. board_isa: of the boards that may get the job
// (BoardInfo::isa).
//
// Errors: as MakeInferRequest, and kInvalidArgument for none, too many, or networks that take
// different images.
Result<JobRequest> MakeMeasureRequest(const MeasureJob& job, std::string measure_id,
                                      GoldenLogits& golden, const std::string& board_isa);

// The same under MeasureIdOf() the job's name or, without one, under NewMeasureId().
Result<JobRequest> MakeMeasureRequest(const MeasureJob& job, GoldenLogits& golden,
                                      const std::string& board_isa);
// The same with the reference's logits, for a few small networks.
Result<JobRequest> MakeMeasureRequest(const MeasureJob& job, std::string measure_id);

// 16 bytes of a SHA-256 over the name and all that is asked for: a board refuses an id that it knows
// from another request.
//
// REQUIRES: a measurement.
std::string MeasureIdOf(const std::string& name, const JobRequest& request);

// 16 bytes from the system's random source.
std::string NewMeasureId();

}  // namespace bitpilot
