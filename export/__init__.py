"""A trained tower becomes ONNX graphs, checked for parity, and a bundle."""
