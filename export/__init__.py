"""Out of Antiphon: networks to ONNX, takes to MIDI, WAV and pictures."""
