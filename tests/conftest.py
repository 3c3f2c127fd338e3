"""What holds for all tests."""

import os

# Several workers share the cores: operations that each spread over all of them would wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
