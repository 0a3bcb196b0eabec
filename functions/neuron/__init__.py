"""The function `neuron`: runs one step of a run. Deployed three times, for the layers L4, L3 and L2."""
