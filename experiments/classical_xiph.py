"""A classical image codec on the frames of a clip: `--data_dir`, as in `xiph`.

evaluate  compresses every frame into a file of its own, decodes and measures it
"""

from experiments import classical_frames, launch, xiph

load = xiph.load

if __name__ == "__main__":
  launch.main(load, classical_frames.Run)
