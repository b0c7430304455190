"""`python -m app.cli`, the same as `threadline`."""

from app.cli import main

main()
