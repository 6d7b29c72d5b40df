"""An OpenAI-compatible endpoint as a chat model.

>>> settings = Settings(max_tokens=256, prices=Prices(prompt=0.15, output=0.6), budget=5.0)
>>> model, url = split_spec("openai:Qwen/Qwen3-8B@http://localhost:8000/v1")
>>> Endpoint(model, url, settings)
Endpoint('Qwen/Qwen3-8B', 'http://localhost:8000/v1')
"""

from opponents.endpoint.allowance import Prices
from opponents.endpoint.cache import CacheError, ReplyCache
from opponents.endpoint.client import Endpoint, EndpointError
from opponents.endpoint.settings import Settings, split_spec

__all__ = [
    "CacheError",
    "Endpoint",
    "EndpointError",
    "Prices",
    "ReplyCache",
    "Settings",
    "split_spec",
]
