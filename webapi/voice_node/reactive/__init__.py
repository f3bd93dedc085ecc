"""The two pieces that reactivex lacks: direct observables, and async iterators as observables."""
