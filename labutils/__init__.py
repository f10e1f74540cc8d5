"""The small shared module of the distillation lab; each file has one job, named by its file."""

import os

__version__ = "0.1.0"

# A CPU compiles a kernel for each shape of matrix that it meets and keeps a thousand of them. Texts come in every length, so a
# training would grow to 10 GB; with few kept kernels it stays below 5 and is as fast. Read when torch first multiplies.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
