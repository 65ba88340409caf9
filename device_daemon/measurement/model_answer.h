// What a model board answers: a cost table's figures in the shape of a measurement.
#pragma once

#include <vector>

#include "device_daemon/measurement/latency_sampler.h"
#include "device_daemon/measurement/measure_subject.h"
#include "device_daemon/measurement/measurement.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// Adds the table's figures of each subject to result.networks, in the order of the subjects: every
// window is the table's latency, and the interval is a point. Windows hold as many inferences as
// they would on a board of that speed, and setup.spend_ns, where it is set, is called, in parts,
// for all the time that they claim.
//
// Errors (verdict): UNSUPPORTED if the table lacks a row or gives no positive latency.
//
// REQUIRES: setup.cost_table.
MeasureVerdict PredictSubjects(const v1::MeasureRequest& request,
                               const std::vector<MeasureSubject>& subjects,
                               const MeasurementSetup& setup, const ProgressFunction& progress,
                               v1::MeasureResult& result);

}  // namespace bitpilot
