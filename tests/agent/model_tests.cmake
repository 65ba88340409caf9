bitpilot_add_test(safetensors_test LABEL agent SOURCES safetensors_test.cc DEPS bitpilot::model)
bitpilot_add_test(image_dataset_test LABEL agent SOURCES image_dataset_test.cc DEPS bitpilot::model)
bitpilot_add_test(model_definition_test LABEL agent SOURCES model_definition_test.cc DEPS bitpilot::model)
