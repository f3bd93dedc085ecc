"""PCM: the FIR resampler, and WAV files."""
