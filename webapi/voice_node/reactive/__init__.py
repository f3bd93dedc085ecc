"""What reactivex lacks: direct observables, async iterators as observables, tasks that know who cancelled them."""
