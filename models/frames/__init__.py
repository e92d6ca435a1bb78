"""Music as frames: piano rolls at a fixed step, and a CRNN that gives the exact likelihood of each next frame."""
