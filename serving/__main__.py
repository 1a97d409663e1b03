"""`python -m serving`: see `serving.main`."""

import sys

from serving.main import main

sys.exit(main())
