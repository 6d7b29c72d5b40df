"""SEPO-GRPO for language models: warm start, play, credit, learn. ``python -m sepo_trainer``."""
