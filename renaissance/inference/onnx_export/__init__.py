"""A trained model's tasks and encoders as ONNX files, for programs without PyTorch."""
