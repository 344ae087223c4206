"""What is compared: pairs of one architecture with the same weights in PyTorch and in TensorFlow."""
