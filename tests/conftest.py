"""Before NumPy is imported: its products here are small, and test workers share the processors."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
