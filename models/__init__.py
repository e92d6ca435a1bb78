"""Music as data, generators, datasets, networks, training and evaluation."""
