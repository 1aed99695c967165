"""What runs a network: ONNX Runtime, Keras or OpenVINO."""
