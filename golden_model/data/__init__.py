"""Samples and labels: from files of many kinds to a network's inputs and classes."""
