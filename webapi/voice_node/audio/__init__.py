"""PCM: resamplers, conversions of samples, and WAV files."""
