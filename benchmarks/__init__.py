"""Speed and memory, side by side with plain baselines.

`python -m benchmarks.train_step` measures one outer training step of a
latent-modulated SIREN (COIN++), `python -m benchmarks.encode` fitting a batch
of images at test time. Each side runs in a process of its own, so that its
peak memory is its own; the sides take turns, so that whatever else the machine
does befalls all of them alike.
"""
