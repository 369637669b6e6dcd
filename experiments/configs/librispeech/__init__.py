"""Three seconds of LibriSpeech, and its configs."""
