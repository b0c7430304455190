"""The sender: claims messages that are due, decides, calls providers, and writes down what came of it."""
