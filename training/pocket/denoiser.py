"""The denoiser: a small UNet trained with v-prediction on cached latents."""

from __future__ import annotations

import copy
import os
import random
import signal
import time
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import distributed, multiprocessing
from torch.nn import functional

from .autoencoder import LATENT_CHANNELS
from .captions import caption
from .checkpoint import Checkpoint, report
from .latents import GRID, LatentPool, LatentPools
from .scenes import Spec
from .text_encoder import WIDTH, load_text_encoder, tokenize
from .tokenizer import load_tokenizer

BATCH = 32
LEARNING_RATE = 1e-3
EMA_DECAY = 0.998
CAPTION_DROPOUT = 0.1
_REPORT_EVERY = 50
_NOISE_BIAS = 1.6


def build_denoiser() -> UNet2DConditionModel:
    """Few channels where pixels are many, attention to the words at 8x8 only: what two CPU cores can train.

    The 4x4 level costs next to nothing and tells the others where in the picture they are: there every cell sees an edge.
    The pooled words also steer every normalisation, at every level: which thing to draw is learned far sooner so.
    """
    return UNet2DConditionModel(
        sample_size=GRID,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        layers_per_block=1,
        block_out_channels=(32, 80, 160, 224),
        norm_num_groups=16,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        mid_block_type=None,
        time_embedding_dim=512,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )


def build_scheduler() -> DDIMScheduler:
    """Zero terminal SNR with trailing steps: sampling starts from pure noise, as few steps need."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
        steps_offset=1,
    )


class Ema:
    """Exponential moving average of the weights, quicker at first."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._step = 0

    @torch.no_grad()
    def update(self, model: torch.nn.Module) -> None:
        self._step += 1
        decay = min(EMA_DECAY, self._step / (self._step + 10))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)

    def state_dict(self) -> dict:
        return {"model": self.model.state_dict(), "step": self._step}

    def load_state_dict(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self._step = state["step"]


def learning_rate(step: int, steps: int) -> float:
    """Warm-up, a plateau, and a decline over the last quarter: a run can be extended from its plateau."""
    return LEARNING_RATE * min(1.0, (step + 1) / 150) * min(1.0, max(0.02, 4 * (1 - step / steps)))


def random_timesteps(count: int, most: int) -> torch.Tensor:
    """More noisy ones than clean ones: what to draw is decided in the noise, and few steps are taken elsewhere."""
    return (most * (1 - torch.rand(count) ** _NOISE_BIAS)).long().clamp(0, most - 1)


class Trainer:
    """What one of ``world`` processes holds: the whole model, and its share of every batch."""

    def __init__(self, workdir: Path, seed: int, device: str, rank: int, world: int) -> None:
        torch.manual_seed(seed)
        self.device, self.seed, self.rank, self.world = device, seed, rank, world
        self.tokenizer = load_tokenizer(workdir, seed)
        self.text_encoder = load_text_encoder(workdir, self.tokenizer).to(device)
        self.model = build_denoiser().to(device, memory_format=torch.channels_last)
        self.ema = Ema(self.model)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        self.pools = LatentPools(workdir, seed)
        self.scaling_factor = self.pools.scaling_factor()
        self.scheduler = build_scheduler()

    def encode(self, specs: list[Spec], rng: random.Random) -> torch.Tensor:
        """Word states (N, MAX_LENGTH, WIDTH) of fresh captions, some left empty for classifier-free guidance."""
        texts = ["" if rng.random() < CAPTION_DROPOUT else caption(spec, rng) for spec in specs]
        with torch.no_grad(), torch.autocast(self.device, torch.bfloat16):
            return self.text_encoder(
                input_ids=tokenize(self.tokenizer, texts).to(self.device)
            ).last_hidden_state.float()

    def loss(self, pool: LatentPool, rng: random.Random) -> torch.Tensor:
        count = BATCH // self.world
        latents, specs = pool.draw(count, rng)
        latents = (latents.to(self.device) * self.scaling_factor).contiguous(memory_format=torch.channels_last)
        words, noise = self.encode(specs, rng), torch.randn_like(latents)
        timesteps = random_timesteps(count, self.scheduler.config.num_train_timesteps).to(self.device)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        with torch.autocast(self.device, torch.bfloat16):
            output = self.model(noisy, timesteps, words).sample
        return functional.mse_loss(output.float(), self.scheduler.get_velocity(latents, noise, timesteps))

    def _average_gradients(self) -> None:
        gradients = [p.grad for p in self.model.parameters()]
        flat = torch.cat([g.flatten() for g in gradients])
        distributed.all_reduce(flat)
        for gradient, mean in zip(gradients, flat.div_(self.world).split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def step(self, step: int, steps: int) -> float:
        rng = random.Random(f"{self.seed}/{step}/{self.rank}")
        torch.manual_seed(rng.getrandbits(48))
        self.optimizer.param_groups[0]["lr"] = learning_rate(step, steps)
        # the same frame for every process: none waits for another's larger pictures
        loss = self.loss(self.pools.choose(random.Random(f"{self.seed}/{step}")), rng)
        self.optimizer.zero_grad()
        loss.backward()
        if self.world > 1:
            self._average_gradients()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        if self.rank == 0:
            self.ema.update(self.model)
        return loss.item()


def _stop_signals() -> list[int]:
    """Fills when the process is asked to stop, by a signal or by its parent's end."""
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda which, _frame: received.append(which))
    return received


def _run(rank: int, world: int, workdir: Path, steps: int, seed: int, device: str) -> None:
    if world > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // world))
        rendezvous = f"file://{workdir.resolve()}/rendezvous"
        distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=world)
    trainer = Trainer(workdir, seed, device, rank, world)
    checkpoint = Checkpoint(workdir / "denoiser.pt", model=trainer.model, ema=trainer.ema, optimizer=trainer.optimizer)
    start, clock, losses = checkpoint.load(), time.monotonic(), []
    asked_to_stop = _stop_signals() if rank == 0 else []
    for step in range(start, steps):
        if asked_to_stop:
            checkpoint.save(step)
            raise SystemExit
        losses.append(trainer.step(step, steps))
        if step % _REPORT_EVERY == _REPORT_EVERY - 1:
            if rank == 0:
                rate = len(losses) * BATCH / (time.monotonic() - clock)
                report("denoiser", step + 1, steps, rate, loss=sum(losses) / len(losses))
                checkpoint.save_if_due(step + 1)
            losses, clock = [], time.monotonic()
    if rank == 0:
        checkpoint.save(steps)


def train_denoiser(workdir: Path, steps: int, seed: int, device: str = "cpu") -> None:
    """Train (or go on training) to ``steps`` in all.

    On a CPU every core is a process with its share of the batch: they wait for each other once a step, not once an
    operation, which matters most when the cores are busy with other work too.
    """
    world = (os.cpu_count() or 1) if device == "cpu" else 1
    world = next(count for count in range(min(world, BATCH), 0, -1) if BATCH % count == 0)
    (workdir / "rendezvous").unlink(missing_ok=True)
    if world == 1:
        _run(0, 1, workdir, steps, seed, device)
    else:
        multiprocessing.spawn(_run, args=(world, workdir, steps, seed, device), nprocs=world)


def load_denoiser(workdir: Path) -> UNet2DConditionModel:
    """The averaged weights of the newest checkpoint."""
    state = torch.load(workdir / "denoiser.pt", weights_only=False)["ema"]
    model = build_denoiser()
    model.load_state_dict(state["model"])
    return model.eval()
