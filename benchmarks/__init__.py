"""Speed and memory, side by side with plain baselines.

`python -m benchmarks.train_step` measures one outer training step of a
latent-modulated SIREN (COIN++), `maml_step` and `ecop_step` one of all weights
on a larger image, `encode` fitting a batch of images at test time. Each side
runs in a process of its own, so that its peak memory is its own; the sides take
turns, so that whatever else the machine does befalls all of them alike.

`long_horizon_memory` says what a step of ECoP needs as its loop, its contexts
and its signals grow, `large_step` takes one on a large signal.

The classifiers' benchmarks (`prospr_score`, `gradient_l1_step` and
`structured_pruning`) let compiled programs of one process take turns, and
compare what the compiler says of their memory.
"""
