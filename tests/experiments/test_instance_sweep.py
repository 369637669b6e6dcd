"""The comparison of ways of adapting: what is run, averaged, tabulated, drawn.

Records are made up; what writes them is tested with the launchers.
"""

import json
import pathlib
import types
from typing import Any

import jax
import numpy as np
import pytest

from experiments import (
  adaptations,
  classical_frames,
  evaluation,
  instance,
  instance_figures,
  instance_records,
  instance_sweep,
  instance_tables,
  sweeps,
  update_histograms,
  xiph,
)
from experiments.sweeps import instance_comparison
from inrjax.codec import latent_update, model_file
from inrjax.data import images
from inrjax.meta import instance_adaptive
from inrjax.quantize import spike_and_slab
from tests.experiments import test_configs
from tests.meta import adaptive_problem

# Frames of a clip, pixels of each, parameters of the receiver.
FRAMES, PIXELS, PARAMETERS = 4, 1000, 200
BETAS = (1e-3, 2.5e-4)
CLIPS = ("alpine", "boats")


def files_row(
  beta: float, latents: float, update: float, psnr: float
) -> dict[str, float]:
  """What a file takes; its header is ten bytes."""
  size = latents + update + 10
  bpp = 8 * size / (FRAMES * PIXELS)
  return {
    "bytes": size,
    "bpp": bpp,
    "latent_bytes": latents,
    "update_bytes": update,
    "computed_latent_bytes": latents - 1,
    "psnr": psnr,
    "rdm": beta * bpp + 10 ** (-psnr / 10),
    "computed_rdm": beta * bpp + 10 ** (-psnr / 10),
  }


def groups() -> dict[str, Any]:
  return {
    "decoder weights": {
      "parameters": PARAMETERS,
      "symbols": [-2, 0, 1],
      "counts": [5, 190, 5],
      "bits": [40.0, 2.0, 35.0],
    }
  }


def computed(rate: float, psnr: float) -> dict[str, float]:
  rdm = 1e-3 * rate + 10 ** (-psnr / 10)
  return {"rate": rate, "model_rate": 0.01, "psnr": psnr, "rdm": rdm}


def write_run(
  workdir: pathlib.Path,
  clip: str,
  name: str,
  beta: float,
  *,
  frames: int = FRAMES,
  **changes: float,
) -> pathlib.Path:
  """A run's folder, as the launcher leaves it."""
  row = {"latents": 800.0, "update": 0.0, "psnr": 30.0} | changes
  # More bits where the rate weighs less.
  row["latents"] *= 1e-3 / beta
  row["psnr"] += 10 * np.log10(1e-3 / beta)
  base = row | {"latents": row["latents"] * 1.2, "update": 0.0}
  record = {
    "num_images": frames,
    "model_id": "known",
    "step": 20,
    "global": files_row(beta, **base),
    "adapted": files_row(beta, **row) | {"zero_update_bytes": 3},
    "computed": computed(0.5, 30) | {"model_rate": 8e-5},
    "start": computed(0.6, 29),
    "parts": {"synthesis/conv_0": {"parameters": PARAMETERS}},
    "groups": groups(),
  }
  if "unaware" in name:
    record["last"] = files_row(beta, row["latents"], 5000.0, row["psnr"] + 1)
    record["unrounded"] = files_row(beta, row["latents"], 0.0, row["psnr"] + 2)
    record["last_groups"] = groups()
  folder = workdir / clip / name / "seed0"
  folder.mkdir(parents=True)
  (folder / evaluation.RESULTS).write_text(json.dumps(record))
  config = {
    "beta": beta,
    "prior": {"bin_width": 0.005},
    "train": {"num_steps": 20},
  }
  (folder / evaluation.CONFIG).write_text(json.dumps(config))
  lines = [
    {"step": step, "steps_per_second": 2.0}
    | {f"clip_{k}": v for k, v in computed(rate, 30 + step / 10).items()}
    for step, rate in ((10, 0.55), (20, 0.9), (20, 0.5))
  ]
  text = "".join(json.dumps(line) + "\n" for line in lines)
  (folder / "log.jsonl").write_text(text)
  return folder


def write_classical(workdir: pathlib.Path, clip: str, shift: float) -> None:
  folder = workdir / clip / "jpeg/all/seed0"
  folder.mkdir(parents=True)
  points = [
    {"bpp": bpp + shift, "psnr": 25 + 8 * bpp, "num_images": 4, "setting": s}
    for s, bpp in enumerate((0.5, 2.0, 8.0))
  ]
  record = {"codec": "JPEG 4:2:0", "num_images": 4, "points": points}
  (folder / evaluation.RESULTS).write_text(json.dumps(record))
  (folder / evaluation.CONFIG).write_text("{}")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """A comparison of two clips, with the ablations on the first."""
  root = tmp_path_factory.mktemp("comparison")
  for index, clip in enumerate(CLIPS):
    write_classical(root, clip, 0.1 * index)
    for beta in BETAS:
      more = {"latents": 800.0 + 100 * index}
      write_run(root, clip, f"global/{beta:g}", beta, psnr=29.0)
      write_run(root, clip, f"encoder/{beta:g}", beta, psnr=29.2, **more)
      write_run(root, clip, f"model/{beta:g}", beta, update=40.0, **more)
  # Fails if a mean over the first clip stands for one over both.
  write_run(root, CLIPS[0], "latents/0.001", 1e-3, psnr=29.3)
  for name in (*instance_comparison.UNAWARE, "decoder"):
    write_run(root, CLIPS[0], f"{name}/0.001", 1e-3, update=60.0)
  for method in ("global", "encoder", "model"):
    for count in (1, 4):
      name = f"{method}/0.001,{count}"
      write_run(root, CLIPS[0], name, 1e-3, frames=count, update=9.0)
  return root


@pytest.fixture(scope="module")
def results(workdir: pathlib.Path) -> list[instance_records.Result]:
  return instance_records.collect(workdir)


def test_curves_are_means_of_files_over_the_same_clips(
  results: list[instance_records.Result],
) -> None:
  found = instance_records.curve(results, "model")
  assert found is not None and len(found.points) == 2
  # Both clips' files at beta 1e-3: 800 and 900 bytes, 40 of update, 10.
  expected = np.mean([8 * 850 / 4000, 8 * 950 / 4000])
  assert found.points[0].bpp == pytest.approx(expected)
  assert found.points[0].side_information_bpp == pytest.approx(8 * 40 / 4000)
  assert found.points[0].header_bpp == pytest.approx(8 * 10 / 4000)
  # Fails if the runs of numbers of frames are averaged with the others.
  assert found.points[0].num_images == 2 * FRAMES
  assert instance_records.curve(results, "latents") is None
  names = [
    one.name for one in instance_records.compared(results, over=[*CLIPS])
  ]
  assert names == [
    "full model (RDM)",
    "encoder only",
    "global model",
    "JPEG 4:2:0 (per frame)",
  ]
  (jpeg,) = instance_records.classical_curves(results, over=[*CLIPS])
  assert jpeg.points[0].bpp == pytest.approx(0.55)


def test_figures_show_the_rates_of_the_methods(
  results: list[instance_records.Result],
) -> None:
  curves = instance_records.compared(results, over=[*CLIPS])
  low, high = instance_figures._rates_of_methods(curves)
  rates = [bpp for one in curves[:-1] for bpp in one.bpp]
  # Fails if classical codecs, here from 0.55, squeeze the others in a corner.
  assert 0.55 < low < min(rates) < 1.5 * low
  assert high < 1.5 * max(rates) and max(rates) < high
  only = [one for one in curves if one.name.startswith("JPEG")]
  low, high = instance_figures._rates_of_methods(only)
  assert low < 0.55 and high > 8


def test_the_six_cases_count_what_they_should(
  results: list[instance_records.Result],
) -> None:
  found = instance_records.cases(results, CLIPS[0])
  rates = {one.name.partition(":")[0]: one.points[0] for one in found}
  assert set(rates) == {"global model", "I", "II", "III", "IV", "V", "VI"}
  last = 8 * (800 + 5000 + 10) / 4000
  # Fails if the best by RDM is shown, or a bound with its update.
  assert rates["III"].bpp == pytest.approx(last) == rates["IV"].bpp
  assert rates["V"].bpp == pytest.approx(8 * 810 / 4000) == rates["VI"].bpp
  assert rates["V"].side_information_bpp == 0
  assert (rates["V"].psnr, rates["VI"].psnr) == pytest.approx((31.0, 32.0))
  assert rates["II"].bpp == pytest.approx(8 * 870 / 4000)


def test_table_1(results: list[instance_records.Result]) -> None:
  titles, first, _ = instance_tables.distribution(results)
  row = dict(zip(titles, first, strict=True))
  assert (row["beta"], row["clips"]) == ("0.001", "2")
  assert row["R"] == f"{8 * 850 / 4000:.4f}"
  assert row["M"] == f"{8 * 40 / 4000:.5f}"
  assert row["M_0"] == f"{8 * 3 / 4000:.5f}"
  # Fails if bits are taken for bytes, or a clip's for a frame's.
  assert row["M (bits/parameter)"] == f"{8 * 40 / PARAMETERS:.4f}"
  assert row["M (kB/frame)"] == f"{40 / 1000 / FRAMES:.3f}"


def test_gains_are_to_the_global_model_and_the_encoder(
  results: list[instance_records.Result],
) -> None:
  rows = instance_tables.gains(results)
  by_name = {row[0]: row[1:] for row in rows}
  assert by_name["global model"][:2] == ["+0.00", "+0.0 %"]
  # Fails if the sign is turned: the full model is 0.8 dB above the encoder.
  assert 0.5 < float(by_name["full model (RDM)"][2]) < 0.8
  alone = [one for one in results if one.method == "model"]
  assert instance_tables.gains(alone)[0] == ["codec"]


def test_history_of_a_step_that_was_repeated(
  results: list[instance_records.Result], workdir: pathlib.Path
) -> None:
  one = next(iter(instance_records.of(results, "model")))
  assert [row["step"] for row in one.history] == [10, 20]
  # Fails if what a resume repeats counts twice, or first.
  assert one.history[-1]["clip_rate"] == 0.5
  assert instance_records.history(workdir / "none") == []
  assert instance_records.speed(workdir / "none") is None


def test_frames_are_split_into_their_terms(
  results: list[instance_records.Result],
) -> None:
  found = instance_records.of(results, "model", varies_frames=True)
  assert [one.num_frames for one in found] == [1, 4]
  terms = instance_records.terms(found[0], "adapted")
  assert terms["mse"] == pytest.approx(1e-3)
  total = terms["latents"] + terms["update"] + 8 * 10 / 4000
  assert terms["rdm"] == pytest.approx(1e-3 * total + terms["mse"])


def test_everything_is_drawn(
  results: list[instance_records.Result], workdir: pathlib.Path
) -> None:
  drawn = instance_figures.write(results, workdir, left_out=["hevc (absent)"])
  assert {path.stem for path in drawn} == {
    "rate_distortion",
    "clips",
    "progress",
    "ablation_alpine",
    "further_alpine",
    "updates_alpine",
    "updates_boats",
    "no_rate_alpine",
    "frames_alpine",
    "table",
  }
  for path in drawn[:-1]:
    assert path.read_bytes().startswith(b"\x89PNG")
  text = (workdir / "table.md").read_text()
  assert "(table 1)" in text and "Left out: hevc (absent)" in text
  assert "20 of 20" in text
  assert instance_figures.write([], workdir) == []


def write_model(path: pathlib.Path, beta: float | None, weight: float) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  card = {} if beta is None else {"config": {"beta": beta}}
  config = {"codec": "hyperprior", "card": card}
  model_file.save_model(path, config, {"w": np.full(2, weight, np.float32)})


def test_models_are_found_by_their_beta(tmp_path: pathlib.Path) -> None:
  write_model(tmp_path / "a/model.inrmodel", 1e-3, 1.0)
  write_model(tmp_path / "b/model.inrmodel", 2.5e-4, 2.0)
  found = instance_sweep.find_models([tmp_path])
  assert [*found] == [1e-3, 2.5e-4]
  assert found[1e-3].path == tmp_path / "a/model.inrmodel"
  # Fails if one of two models is taken at random; a copy is none.
  write_model(tmp_path / "c/model.inrmodel", 1e-3, 1.0)
  assert len(instance_sweep.find_models([tmp_path])) == 2
  write_model(tmp_path / "d/model.inrmodel", 1e-3, 3.0)
  with pytest.raises(ValueError, match="both of beta 0.001"):
    instance_sweep.find_models([tmp_path])
  write_model(tmp_path / "none.inrmodel", None, 3.0)
  with pytest.raises(ValueError, match="card does not say"):
    instance_sweep.find_models([tmp_path / "none.inrmodel"])
  (tmp_path / "empty").mkdir()
  with pytest.raises(ValueError, match="no .inrmodel"):
    instance_sweep.find_models([tmp_path / "empty"])


def test_which_model_a_run_starts_from() -> None:
  model, encoder = instance_comparison.adapted(
    ("model", "encoder"), ["1e-4"], suffix="_cpu"
  )
  beta_of, lacks = instance_sweep.beta_of, instance_sweep.lacks
  assert beta_of(model, None) == beta_of(encoder, None) == 1e-4
  # Section 4.3. Fails if an encoder meets a decoder of another rate.
  assert (beta_of(model, 1e-3), beta_of(encoder, 1e-3)) == (1e-3, 1e-4)
  known = {1e-3: instance_sweep.GlobalModel(pathlib.Path("m"), "known")}
  assert lacks(model, known, 1e-3) is None
  reason = lacks(encoder, known, 1e-3)
  assert reason == "encoder/1e-4/seed0 (no global model of beta 0.0001)"


def test_a_codec_that_is_not_there_is_left_out_by_name(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  def absent() -> Any:
    raise ImportError("HEVC intra needs pillow-heif")

  monkeypatch.setitem(classical_frames.CODECS, "hevc", absent)
  reasons = [
    instance_sweep.lacks(entry, {}, None)
    for entry in instance_comparison.classical(("jpeg", "hevc"))
  ]
  assert reasons == [None, "hevc/all/seed0 (HEVC intra needs pillow-heif)"]


def test_clips_are_found_and_named(tmp_path: pathlib.Path) -> None:
  for name in ("sunflower_1080p25.y4m", "other.mp4"):
    (tmp_path / name).touch()
  found = instance_sweep.find_clips([tmp_path])
  assert [*found] == ["other", "sunflower_1080p25"]
  clip_flags = instance_sweep.clip_flags
  # Fails if a clip of table 2 is taken at all its frames.
  assert clip_flags(found["sunflower_1080p25"]) == [
    f"--data_dir={tmp_path}",
    "--config.data.source.clip=sunflower",
  ]
  other = clip_flags(found["other"])
  assert other == [
    f"--data_dir={tmp_path / 'other.mp4'}",
    "--config.data.source.clip=None",
  ]
  (tmp_path / "again").mkdir()
  (tmp_path / "again/other.mkv").touch()
  with pytest.raises(ValueError, match="have one name"):
    instance_sweep.find_clips([tmp_path])
  with pytest.raises(ValueError, match="no clip"):
    instance_sweep.find_clips([])


def test_the_flag_for_no_clip_is_understood(tmp_path: pathlib.Path) -> None:
  frame = np.zeros((4, 6, 3), np.uint8)
  (tmp_path / "0.png").write_bytes(images.encode_array(frame, ".png"))
  settings = {"start": 0, "stride": None, "num_frames": None, "size": None}
  # Fails if a flag's "None" is taken for a name.
  assert xiph.load("clip", tmp_path, clip="None", **settings).shape[0] == 1


def test_a_result_is_not_taken_for_that_of_another_model(
  tmp_path: pathlib.Path,
) -> None:
  (entry,) = instance_comparison.adapted(("model",), ["1e-3"], suffix="_cpu")
  clip = tmp_path / "other.mp4"
  model = instance_sweep.GlobalModel(tmp_path / "m.inrmodel", "known")
  folder = write_run(tmp_path, "other", "model/1e-3", 1e-3)
  settings = [
    *entry,
    *instance_sweep.clip_flags(clip),
    f"--model={model.path}",
    "--x",
  ]
  (folder / "entry.json").write_text(json.dumps(settings))
  record = instance_sweep.run_one(entry, clip, folder, model, ["--x"])
  assert record["num_images"] == FRAMES
  # Fails if a model that was trained on is not noticed.
  with pytest.raises(ValueError, match="another model"):
    instance_sweep.run_one(
      entry, clip, folder, model._replace(model_id="new"), ["--x"]
    )


def test_only_trained_models_without_a_file_are_exported(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  def write(name: str, launcher: str) -> pathlib.Path:
    folder = tmp_path / name
    folder.mkdir()
    entry = sweeps.Entry(name, launcher, "c.py:1e-3", {"train.num_steps": 4})
    (folder / "entry.json").write_text(json.dumps([*entry, "--data_dir=x"]))
    return folder

  for name in ("done", "there"):
    (write(name, "experiments.clic") / evaluation.RESULTS).touch()
  (tmp_path / "there/model.inrmodel").touch()
  write("running", "experiments.clic")
  (write("else", "experiments.kodak") / evaluation.RESULTS).touch()
  commands = []

  def run(command: list[str], **settings: Any) -> Any:
    commands.append(command)
    return type("Done", (), {"returncode": 0})

  monkeypatch.setattr(instance_sweep.subprocess, "run", run)
  found = instance_sweep.export_trained(tmp_path)
  assert found == [tmp_path / "done/model.inrmodel"]
  # Fails if settings that make the network are forgotten.
  assert commands[0][-2:] == ["--mode=export", "--config.train.num_steps=4"]


def test_numbers_of_frames_are_spread_over_the_clip() -> None:
  found = instance_comparison.by_frames(
    (1, 42, 500), 500, betas=("3e-3",), suffix=""
  )
  assert len({entry.name for entry in found}) == 9
  for entry in found:
    count = entry.overrides["data.source.num_frames"]
    stride = entry.overrides["data.source.stride"]
    # Fails if the last frame lies beyond the clip, or it is not covered.
    assert (count - 1) * stride < 500 <= (count + 1) * stride + count


def test_classical_codecs_are_counted_in_bytes(tmp_path: pathlib.Path) -> None:
  rng = np.random.default_rng(0)
  frames = rng.integers(0, 256, (2, 2, 2, 3), np.uint8)
  frames = frames.repeat(8, axis=1).repeat(8, axis=2)
  config = test_configs.read(
    test_configs.FOLDER / "classical_xiph/frames.py"
  ).get_config("jpeg")
  values = config.to_dict()
  values["codec"]["settings"] = (20, 80)
  run = classical_frames.Run(values, tmp_path, lambda split: frames)
  run.meta_learn()
  run.measure()
  run.write_model()
  record = json.loads((tmp_path / evaluation.RESULTS).read_text())
  assert record["num_images"] == 2
  encoder = classical_frames.CODECS["jpeg"]()
  sizes = [len(encoder.encode(frame, 20)) for frame in frames]
  # Fails if a rate is of all frames, or headers are not counted.
  assert record["points"][0]["bpp"] == pytest.approx(8 * sum(sizes) / 2 / 256)


@pytest.fixture(scope="module")
def shapes() -> Any:
  """Of a hyperprior's parameters."""
  return jax.eval_shape(adaptive_problem.make_params)


def test_histograms_add_up(shapes: Any) -> None:
  receiver = {n: shapes[n] for n in ("synthesis", "hyper_synthesis", "prior")}
  rng = np.random.default_rng(0)
  delta = jax.tree.map(
    lambda leaf: rng.normal(0, 0.02, leaf.shape).astype(np.float32), receiver
  )
  prior = spike_and_slab.SpikeAndSlab()
  scales = jax.tree.map(lambda _: 0.0, receiver)
  scales["prior"]["layer_0"]["bias"] = 1.0
  update = latent_update.quantize(prior, delta, scales)
  found = update_histograms.by_group(update)
  assert set(found) == {
    "decoder weights",
    "decoder biases",
    "decoder IGDN",
    "hyper-decoder weights",
    "hyper-decoder biases",
    "hyper-prior",
  }
  counts = sum(sum(one["counts"]) for one in found.values())
  assert counts == sum(x.size for x in jax.tree.leaves(delta))
  bits = sum(sum(one["bits"]) for one in found.values())
  # Fails if a tensor is left out, or its own slab is forgotten.
  expected = sum(jax.tree.leaves(latent_update.cost(update)))
  assert bits == pytest.approx(expected, rel=1e-3)
  symbols = found["decoder weights"]["symbols"]
  assert symbols == sorted(set(symbols)) and min(symbols) < 0 < max(symbols)


def test_cases_of_the_ablations(shapes: Any) -> None:
  model = types.SimpleNamespace(
    config=adaptive_problem.MODEL.network.config,
    params=jax.tree.map(lambda x: np.zeros(x.shape, np.float32), shapes),
  )
  folder = test_configs.FOLDER / "xiph"
  get_config = test_configs.read(folder / "ablations_cpu.py").get_config

  def run(variant: str) -> instance.Run:
    made = instance.Run(
      get_config(variant).to_dict(), pathlib.Path("none"), lambda split: None
    )
    made.__dict__.update(codec=model, frames=np.zeros((1, 8, 8, 3), np.uint8))
    return made

  decoder = run("decoder_1e-3")
  start = decoder.adaptation.start
  # Fails if the encoder is learned, or lost.
  assert start["transmitter"] == {} and jax.tree.leaves(start["delta"])
  params = jax.eval_shape(
    lambda fast: instance_adaptive.adapted_params(
      model.params, fast, decoder.prior
    ),
    start,
  )
  assert jax.tree.structure(params) == jax.tree.structure(model.params)
  run("global_1e-3").meta_learn()
  assert run("slab_1e-3").prior.spike_weight == 0
  assert run("discrete_1e-3").config["adapt"]["rate"] == "discrete"
  assert run("learned_slabs_1e-3").config["adapt"]["learn_scales"]
  gated = run("gates_1e-3")
  start = gated.adaptation.start
  # Fails if another case has gates, or their rate is that of all else.
  assert "log_alpha" in start and "log_alpha" not in decoder.adaptation.start
  small = {"delta": np.ones(2), "log_alpha": np.ones(2)}
  optimizer = adaptations.make_optimizer(gated.config, small)
  updates, _ = optimizer.update(small, optimizer.init(small), small)
  np.testing.assert_allclose(
    updates["log_alpha"], 100 * updates["delta"], rtol=1e-3
  )
