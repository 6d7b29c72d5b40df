"""SEPO-GRPO for language models: warm start, play, credit, learn. Run ``python -m sepo_trainer``."""
