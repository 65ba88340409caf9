// What the agent asks of a board, checked and complete before anything is sent.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "agent/fleet/board.h"
#include "agent/fleet/fleet_job.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Logits of `images`.
//
// Errors:
//   kInvalidArgument    the network is not valid, or `images` is not a positive number of images.
//   kResourceExhausted  the network file is larger than boards take.
Result<JobRequest> MakeInferRequest(const Network& network, std::span<const std::uint8_t> images);

// A measurement with the host reference's logits of one seeded image, which the board must
// reproduce bit for bit before it times anything.
//
// measure_id: 16 bytes.
//
// Errors: as MakeInferRequest, and kInvalidArgument for none, too many, or networks that take
// different images.
Result<JobRequest> MakeMeasureRequest(const MeasureJob& job, std::string measure_id);
// The same under MeasureIdOf() the job's name or, without one, under NewMeasureId().
Result<JobRequest> MakeMeasureRequest(const MeasureJob& job);

// 16 bytes of a SHA-256 over the name and all that is asked for: a board refuses an id that it knows
// from another request.
//
// REQUIRES: a measurement.
std::string MeasureIdOf(const std::string& name, const JobRequest& request);

// 16 bytes from the system's random source.
std::string NewMeasureId();

}  // namespace bitpilot
