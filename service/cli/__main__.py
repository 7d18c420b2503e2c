"""`python -m service.cli`: the same as the `assent` command."""

from service.cli.main import main

main()
