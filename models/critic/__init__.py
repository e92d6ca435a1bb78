"""The critic: the Neurotune paper's discriminator, taught to tell the default generator's rollouts from music."""
