"""`python -m remediator`: the same as the command `remediator`."""

from remediator.cli.main import main

if __name__ == "__main__":
    main()
