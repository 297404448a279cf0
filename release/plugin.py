"""The program of the archive that krew installs."""

from remediator.cli.main import main

if __name__ == "__main__":
    main()
