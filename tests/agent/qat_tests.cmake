bitpilot_add_test(qat_test LABEL agent ONE_PROCESS
  SOURCES
    channel_affine_test.cc
    channel_probes_test.cc
    compute_threads_test.cc
    fake_quant_test.cc
    lsq_kernels_test.cc
    qat_state_test.cc
    quantized_model_test.cc
    reestimation_test.cc
    teacher_logits_test.cc
    teacher_test.cc
    usable_threads_test.cc
  DEPS bitpilot::qat bitpilot::model torch)
