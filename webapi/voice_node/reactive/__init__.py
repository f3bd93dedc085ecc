"""What reactivex lacks: observables without its guard, and async iterators as observables."""
