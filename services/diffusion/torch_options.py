"""What torch may do to a model, in diffusers' words: for all models in the settings, for one in its entry."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Offload = Literal["auto", "none", "model", "group", "sequential"]
Tiling = Literal["auto", "always", "never"]


class TorchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """None: said elsewhere (entry before settings before torch's own choice)."""

    attention_backend: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]*$")] | None = None
    """One of `diffusers.models.attention_dispatch.AttentionBackendName`; empty for torch's own choice."""
    offload: Offload | None = None
    """What waits in main memory until it is needed: parts of the pipeline (`model`), layers (`group`, `sequential`)."""
    vae_tiling: Tiling | None = None
    """Whether pictures are decoded in parts."""
    compile_repeated_blocks: bool | None = None
    """Whether the blocks of the denoiser are compiled."""

    def or_else(self, other: TorchOptions) -> TorchOptions:
        """What is said here, and what `other` says about the rest."""
        own = {name: getattr(self, name) for name in TorchOptions.__struct_fields__}
        return TorchOptions(**{name: getattr(other, name) if it is None else it for name, it in own.items()})

    @property
    def named(self) -> tuple[str, ...]:
        """The options that ask for something that only torch has."""
        wanted = {
            "attention_backend": bool(self.attention_backend),
            "offload": self.offload not in (None, "auto", "none"),
            "vae_tiling": self.vae_tiling == "always",
            "compile_repeated_blocks": bool(self.compile_repeated_blocks),
        }
        return tuple(name for name, is_wanted in wanted.items() if is_wanted)


DEFAULTS = TorchOptions(attention_backend="", offload="auto", vae_tiling="auto", compile_repeated_blocks=False)
