"""The small shared module of the distillation lab; each file has one job, named by its file."""

__version__ = "0.1.0"
