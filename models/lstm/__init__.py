"""The `lstm` generator of the "AI Music Generator" paper: a stacked LSTM over a vocabulary of notes and chords."""
