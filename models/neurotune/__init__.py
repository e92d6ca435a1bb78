"""`neurotune`: a CRNN that turns noise and the notes before into the next note, trained against a discriminator."""
