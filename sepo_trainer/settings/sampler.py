"""The settings of samplers: who writes the policy's replies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sepo_trainer.settings.section import NotNegative, Positive, Section


class SamplerConfig(Section):
    """Who writes the policy's replies, and how far it may differ from the weights that learn."""

    engine: Literal["transformers", "vllm"] = "transformers"
    """The model that learns itself, or a vLLM engine that is sent its weights after each update."""
    server: str | None = None
    """Address of a vLLM server, such as `http://localhost:8000`; without one, `vllm` runs in this
    process."""
    exchange: Path | None = None
    """A folder that this process and the server both see, for the weights on their way."""
    context: Positive = 4096
    """Most tokens of a prompt and its reply in an engine in this process; a server has its own."""
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Of a CUDA device's memory, for an engine in this process."""
    tensor_parallel: Positive = 1
    """Processes of the run that hold one engine of vLLM together, each a part of every layer. The
    run has as many engines, which write side by side, as it has times so many processes."""
    importance_cap: Annotated[float, Field(ge=1)] = 2.0
    """Most that a token counts because the learner is likelier to write it than the sampler was."""
    most_drift: NotNegative | None = None
    """Nats per token between the log-probs of the two, in the mean, above which a run stops; on
    the tokens of moves alone it may be 5 times as much. Unless set, 0.001 where the model is in
    fp32, else 0.02."""

    @property
    def in_this_process(self) -> bool:
        """Whether the engine is one of vLLM beside the learner."""
        return self.engine == "vllm" and self.server is None

    @model_validator(mode="after")
    def _every_setting_is_read(self) -> SamplerConfig:
        if self.server is not None and self.engine != "vllm":
            raise ValueError(
                f"server is {self.server!r}, but the engine is {self.engine!r}. "
                "Set sampler.engine to 'vllm', or leave the server out."
            )
        if self.server is not None and self.exchange is None:
            raise ValueError(
                f"server is {self.server!r}, but there is no way to send it weights. Set "
                "sampler.exchange to a folder that both see, such as /dev/shm/sepo on one machine."
            )
        if self.server is None and self.exchange is not None:
            raise ValueError(
                f"exchange is {str(self.exchange)!r}, but there is no server to exchange weights "
                "with. Set sampler.server to its address, or leave the exchange out."
            )
        if not self.in_this_process:
            for name in self.changed("context", "memory_share", "tensor_parallel"):
                default = type(self).model_fields[name].default
                who = "a server" if self.server else f"the engine {self.engine!r}"
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}, but {who} never reads it: it is about an "
                    f"engine of vLLM in this process. Leave it at {default!r}"
                    f"{', and give it to `vllm serve`' if self.server else ''}."
                )
        return self
