"""Digits drawn by our own code from stroke skeletons: stand-ins where MNIST is not available."""
