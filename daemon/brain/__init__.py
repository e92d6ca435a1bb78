"""The brain: window, modes, generator, control. May hang or die; the player plays on."""
