"""Clean and backdoored image classifiers, trained in PyTorch or Keras and exported to ONNX."""
