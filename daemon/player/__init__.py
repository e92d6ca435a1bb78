"""The player: ports, due queue, ledger of sounding notes. Imports neither numpy nor onnxruntime."""
