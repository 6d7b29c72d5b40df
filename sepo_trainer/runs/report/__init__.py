"""The page that a run leaves behind: pictures and words from what the run wrote down."""

from sepo_trainer.runs.report.pages import write_report

__all__ = ["write_report"]
